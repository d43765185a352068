import { writeDemoScript } from '../../../deploy/demo/demo-script';
import { providedAccounts, providedNames } from '../../../deploy/demo/provided-channels';

const script = writeDemoScript(1);

test('the same seed gives the same script, another seed another', () => {
  expect(writeDemoScript(1)).toEqual(script);
  expect(writeDemoScript(2)).not.toEqual(script);
});

test('two bursts of 2,000 are due at their instants, beside a trickle', () => {
  expect(script.bursts.map((burst) => burst.count)).toEqual([2_000, 2_000]);
  for (const burst of script.bursts) {
    expect(script.messages.filter((message) => message.dueAt === burst.at).length).toBeGreaterThanOrEqual(burst.count);
  }
  expect(script.messages.filter((message) => message.key.includes('trickle')).length).toBeGreaterThan(500);
});

test('every key is used once, and everything happens within the minute', () => {
  expect(new Set(script.messages.map((message) => message.key)).size).toBe(script.messages.length);
  for (const message of script.messages) {
    expect(message.scheduleAt).toBeGreaterThanOrEqual(0);
    expect(message.scheduleAt).toBeLessThanOrEqual(message.dueAt);
    expect(message.dueAt).toBeLessThanOrEqual(script.endsAt);
  }
});

test('edits and cancels name messages that were written before, each at most once', () => {
  const byKey = new Map(script.messages.map((message) => [message.key, message]));
  expect(new Set(script.changes.map((change) => change.key)).size).toBe(script.changes.length);
  for (const change of script.changes) {
    expect(change.at).toBeGreaterThan(byKey.get(change.key)?.scheduleAt ?? Number.POSITIVE_INFINITY);
    const movedTo = change.kind === 'edit' ? (change.dueAt ?? change.at) : change.at;
    expect(movedTo).toBeGreaterThanOrEqual(change.at);
  }
  const kinds = script.changes.map((change) => change.kind);
  expect(kinds.filter((kind) => kind === 'cancel').length).toBeGreaterThan(100);
  expect(kinds.filter((kind) => kind === 'edit').length).toBeGreaterThan(100);
});

test('what is written and changed is in order of time', () => {
  const times = script.messages.map((message) => message.scheduleAt);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const changed = script.changes.map((change) => change.at);
  expect(changed).toEqual(changed.toSorted((a, b) => a - b));
});

describe('a few messages leave on channels with providers', () => {
  const provided = script.messages.filter(({ channel }) => channel !== 'webhook');
  const [first, last] = script.bursts.map(({ at }) => at) as [number, number];

  test('on each channel for each account, planned well ahead and some seconds apart', () => {
    for (const channel of providedNames) {
      for (const account of providedAccounts) {
        const own = provided.filter((one) => one.channel === channel && one.account === account);
        const dues = own.map(({ dueAt }) => dueAt).toSorted((a, b) => a - b);
        expect(dues.length).toBeGreaterThan(5);
        for (const [n, due] of dues.slice(1).entries()) expect(due - (dues[n] as number)).toBeGreaterThan(2_500);
        for (const { dueAt, scheduleAt } of own) expect(dueAt - scheduleAt).toBeGreaterThanOrEqual(5_000);
      }
    }
  });

  test('none beside the first crowd, and one of each account beside the last', () => {
    expect(provided.filter(({ dueAt }) => Math.abs(dueAt - first) <= 3_000)).toEqual([]);
    const beside = provided.filter(({ dueAt }) => Math.abs(dueAt - last) <= 3_000);
    expect(beside.map(({ dueAt }) => dueAt)).toEqual(Array(providedNames.length * providedAccounts.length).fill(last));
  });

  test('and nobody changes them', () => {
    const keys = new Set(provided.map(({ key }) => key));
    expect(script.changes.filter(({ key }) => keys.has(key))).toEqual([]);
  });
});
