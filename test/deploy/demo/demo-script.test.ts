import { planDemo } from '../../../deploy/demo/demo-script';

const plan = planDemo(1);

test('the same seed gives the same plan, another seed another', () => {
  expect(planDemo(1)).toEqual(plan);
  expect(planDemo(2)).not.toEqual(plan);
});

test('two bursts of 2,000 are due at their instants, beside a trickle', () => {
  expect(plan.bursts.map((burst) => burst.count)).toEqual([2_000, 2_000]);
  for (const burst of plan.bursts) {
    expect(plan.messages.filter((message) => message.dueAt === burst.at).length).toBeGreaterThanOrEqual(burst.count);
  }
  expect(plan.messages.filter((message) => message.key.includes('trickle')).length).toBeGreaterThan(500);
});

test('every key is used once, and everything happens within the minute', () => {
  expect(new Set(plan.messages.map((message) => message.key)).size).toBe(plan.messages.length);
  for (const message of plan.messages) {
    expect(message.scheduleAt).toBeGreaterThanOrEqual(0);
    expect(message.scheduleAt).toBeLessThanOrEqual(message.dueAt);
    expect(message.dueAt).toBeLessThanOrEqual(plan.endsAt);
  }
});

test('edits and cancels name messages that were written before, each at most once', () => {
  const byKey = new Map(plan.messages.map((message) => [message.key, message]));
  expect(new Set(plan.changes.map((change) => change.key)).size).toBe(plan.changes.length);
  for (const change of plan.changes) {
    expect(change.at).toBeGreaterThan(byKey.get(change.key)?.scheduleAt ?? Number.POSITIVE_INFINITY);
    const movedTo = change.kind === 'edit' ? (change.dueAt ?? change.at) : change.at;
    expect(movedTo).toBeGreaterThanOrEqual(change.at);
  }
  const kinds = plan.changes.map((change) => change.kind);
  expect(kinds.filter((kind) => kind === 'cancel').length).toBeGreaterThan(100);
  expect(kinds.filter((kind) => kind === 'edit').length).toBeGreaterThan(100);
});

test('what is written and changed is in order of time', () => {
  const times = plan.messages.map((message) => message.scheduleAt);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const changed = plan.changes.map((change) => change.at);
  expect(changed).toEqual(changed.toSorted((a, b) => a - b));
});
