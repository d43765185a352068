import type { Figures } from './figures';
import { missedOf } from './roll-report';

const figures = (p99: number, own: Partial<Figures> = {}): Figures => ({
  messages: 100,
  payloadBytes: 250,
  rate: 1,
  lateness: { p50: 1, p90: 1, p99, max: p99 },
  early: 0,
  duplicates: 0,
  lost: 0,
  usage: [],
  ...own,
});
const report = (steady: [Figures, Figures], bursts: [number[], number[]]) => ({
  rate: 500,
  steady: { without: [steady[0]], with: [steady[1]] },
  bursts: { without: bursts[0].map((one) => figures(one)), with: bursts[1].map((one) => figures(one)) },
  rollsMs: [],
});

test('a roll may cost a steady stream 250 ms and bursts 30 % by their medians', () => {
  expect(
    missedOf(
      report(
        [figures(10), figures(260)],
        [
          [1_000, 900, 5_000],
          [1_300, 1_200, 9_000],
        ],
      ),
    ),
  ).toEqual([]);
  expect(missedOf(report([figures(10), figures(261)], [[1_000], [1_310]]))).toEqual([
    "the steady stream's p99 is 251 ms later, over 250 ms",
    "the bursts' p99 is 1.31 times as late, over 1.3",
  ]);
});

test('what is lost, sent twice or early during a roll never holds', () => {
  const bad = figures(10, { lost: 1, duplicates: 2, early: 3 });
  expect(missedOf(report([figures(10), bad], [[1], [1]]))).toEqual([
    '1 messages lost',
    '2 messages twice',
    '3 messages early',
  ]);
});
