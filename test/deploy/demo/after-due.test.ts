import { afterDueByChannel, afterDueFigures } from '../../../deploy/demo/after-due';

const START = 1_800_000_000_000;
const bursts = [
  { name: '9:00', at: START + 20_000 },
  { name: '11:00', at: START + 40_000 },
];
const delivered = (channel: string, due: number, late: number) => ({
  channel,
  dueAt: START + due,
  at: START + due + late,
});

test('figures after due are nearest-rank percentiles', () => {
  expect(afterDueFigures([])).toBeNull();
  expect(afterDueFigures(Array.from({ length: 100 }, (_, index) => 100 - index))).toEqual({
    p50: 50,
    p99: 99,
    max: 100,
  });
});

test('webhooks beside the bursts and each burst are counted apart, other channels whole', () => {
  const rows = afterDueByChannel(
    [
      delivered('mastodon', 1_000, 9),
      delivered('webhook', 20_000, 100),
      delivered('webhook', 20_000, 700),
      delivered('webhook', 1_000, 4),
      delivered('mastodon', 40_000, 7),
      delivered('webhook', 40_000, 50),
    ],
    bursts,
  );
  expect(rows).toEqual([
    { channel: 'webhook', burst: null, messages: 1, p50: 4, p99: 4, max: 4 },
    { channel: 'webhook', burst: '9:00', messages: 2, p50: 100, p99: 700, max: 700 },
    { channel: 'webhook', burst: '11:00', messages: 1, p50: 50, p99: 50, max: 50 },
    { channel: 'mastodon', burst: null, messages: 2, p50: 7, p99: 9, max: 9 },
  ]);
});

test('what is due while a burst is being sent belongs to it', () => {
  const crowd = [delivered('webhook', 20_000, 10), delivered('webhook', 20_000, 600)];
  const rows = afterDueByChannel(
    [...crowd, delivered('webhook', 20_500, 300), delivered('webhook', 20_700, 5), delivered('webhook', 19_999, 3)],
    bursts,
  );
  expect(rows).toMatchObject([
    { burst: null, messages: 2, max: 5 },
    { burst: '9:00', messages: 3, max: 600 },
  ]);
});

test('without deliveries there is nothing to say', () => {
  expect(afterDueByChannel([], bursts)).toEqual([]);
});
