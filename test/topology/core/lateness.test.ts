import {
  channelPolicy,
  endOf,
  type Lateable,
  type LatenessPolicy,
  lateText,
  policyOf,
} from '../../../topology/core/lateness';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const channel: LatenessPolicy = { sendWithinMs: DAY_MS, onLate: 'suspend' };
const message: Lateable = { dueAt: 1_000, lateFrom: null, sendWithinMs: null, onLate: null };

test('what a component says counts before what its kind says, and none is a word of its own', () => {
  expect(channelPolicy({ sendWithinMs: undefined, onLate: 'suspend' }, DAY_MS)).toEqual(channel);
  expect(channelPolicy({ sendWithinMs: undefined, onLate: 'skip' }, undefined)).toEqual({
    sendWithinMs: null,
    onLate: 'skip',
  });
  expect(channelPolicy({ sendWithinMs: null, onLate: 'suspend' }, DAY_MS).sendWithinMs).toBeNull();
  expect(channelPolicy({ sendWithinMs: HOUR_MS, onLate: 'suspend' }, DAY_MS).sendWithinMs).toBe(HOUR_MS);
});

test('what a message says itself counts before what its channel says, each part by itself', () => {
  expect(policyOf({ ...message, onLate: 'send' }, channel)).toEqual({ sendWithinMs: DAY_MS, onLate: 'send' });
  expect(policyOf({ ...message, sendWithinMs: HOUR_MS }, channel)).toEqual({
    sendWithinMs: HOUR_MS,
    onLate: 'suspend',
  });
});

test('the time of a message begins when it is due, or when a person had it sent again after that', () => {
  expect(endOf(message, channel)).toBe(1_000 + DAY_MS);
  expect(endOf({ ...message, lateFrom: 5 * DAY_MS }, channel)).toBe(6 * DAY_MS);
  // Its due time was put off since.
  expect(endOf({ ...message, dueAt: 9 * DAY_MS, lateFrom: 5 * DAY_MS }, channel)).toBe(10 * DAY_MS);
});

test('a message without a time, or that is sent however late it is, is never late', () => {
  expect(endOf(message, { sendWithinMs: null, onLate: 'skip' })).toBe(Number.POSITIVE_INFINITY);
  expect(endOf({ ...message, onLate: 'send' }, channel)).toBe(Number.POSITIVE_INFINITY);
});

test.each([
  [27 * HOUR_MS + 5_000, '27h after it was due, and its channel allows 1d'],
  [90_000, '90s after it was due, and its channel allows 1d'],
  [300_500, '5min after it was due, and its channel allows 1d'],
  [48 * HOUR_MS, '2d after it was due, and its channel allows 1d'],
])('%s ms are said as %s', (late, expected) => {
  expect(lateText(message, channel, 1_000 + late)).toBe(expected);
});

test('the text says since when it is late, and by whose policy', () => {
  const own = { ...message, sendWithinMs: HOUR_MS, lateFrom: DAY_MS };
  expect(lateText(own, channel, DAY_MS + 2 * HOUR_MS)).toBe(
    '2h after a person had it sent again, and the message allows 1h',
  );
});
