import { writeDemoScript } from '../../../deploy/demo/demo-script';

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
