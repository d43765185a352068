import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Output } from '../../deploy/console/output';
import { type CapacityReport, crowdOf } from './capacity';
import {
  BUSY_SHARE,
  type CostPoint,
  type Costs,
  linesOf,
  lineThrough,
  mapCosts,
  medianCosts,
  needOf,
  perMessage,
  perSecond,
} from './capacity-model';
import { capacityText, holds, needsOf } from './capacity-report';
import { topicBytes } from './log-bytes';
import { parseOptions } from './options';

const nothing = mapCosts(() => 0);
const costs = (own: Partial<Costs>): Costs => ({ ...nothing, ...own });

test('a message costs what was spent, less what is spent at rest', () => {
  const from = { atMs: 10_000, costs: costs({ mysql: 500, binlog: 1_000 }) };
  const to = { atMs: 14_000, costs: costs({ mysql: 10_500, binlog: 9_000 }) };
  expect(perSecond(from, to)).toMatchObject({ mysql: 2_500, binlog: 2_000 });
  // 10,000 in four seconds, of which 4 × 500 would have been spent anyway.
  expect(perMessage(from, to, costs({ mysql: 500 }), 100)).toMatchObject({ mysql: 80, binlog: 80 });
});

test('a part that takes less than it does at rest costs nothing', () => {
  const reading = (atMs: number) => ({ atMs, costs: nothing });
  expect(perMessage(reading(0), reading(1_000), costs({ kafka: 30 }), 10)).toEqual(nothing);
});

test('each cost is the one in the middle of its rounds', () => {
  const rounds = [costs({ mysql: 3, bolts: 10 }), costs({ mysql: 1, bolts: 30 }), costs({ mysql: 2, bolts: 20 })];
  expect(medianCosts(rounds)).toMatchObject({ mysql: 2, bolts: 20, kafka: 0 });
  expect(medianCosts(rounds.slice(0, 2))).toMatchObject({ mysql: 1, bolts: 10 });
});

const points = (...pairs: [kb: number, value: number][]) => pairs.map(([kb, value]) => ({ kb, value }));

test('points on a line give that line', () => {
  const { base, perKb, furthest } = lineThrough(points([0.25, 102], [2, 116], [10, 180], [100, 900]));
  expect(base).toBeCloseTo(100, 6);
  expect(perKb).toBeCloseTo(8, 6);
  expect(furthest).toBeCloseTo(0, 6);
});

test('a large payload does not decide what a small one costs', () => {
  const { base, perKb, furthest } = lineThrough(points([0.25, 102], [2, 116], [10, 180], [100, 1_350]));
  // By absolute errors it would be 62 + 12.9/kB, a third too low for 250 B.
  expect(base).toBeGreaterThan(85);
  expect(perKb).toBeGreaterThan(8);
  expect(furthest).toBeLessThan(0.35);
});

test('a cost that falls as payloads grow does not depend on them, and none begins below 0', () => {
  expect(lineThrough(points([1, 50], [100, 50])).perKb).toBe(0);
  expect(lineThrough(points([1, 60], [100, 40]))).toMatchObject({ perKb: 0 });
  expect(lineThrough(points([1, 60], [100, 40])).base).toBeCloseTo(46.15, 2);
  const steep = lineThrough(points([1, 1], [10, 100]));
  expect(steep.base).toBe(0);
  expect(steep.perKb).toBeGreaterThan(1);
});

test('one payload alone says nothing of others', () => {
  expect(lineThrough(points([0.25, 102]))).toEqual({ base: 102, perKb: 0, furthest: 0 });
});

const point = (phase: CostPoint['phase'], payloadBytes: number, own: Partial<Costs>): CostPoint => ({
  phase,
  payloadBytes,
  messages: 1_000,
  costs: costs(own),
});

test('a crowd needs cores that are not quite busy, and bandwidth for its logs', () => {
  const read = linesOf([point('read', 1_000, { mysql: 10 }), point('read', 2_000, { mysql: 10 })]);
  const sent = linesOf([
    point('sent', 1_000, { mysql: 60, binlog: 5_000 }),
    point('sent', 2_000, { mysql: 70, binlog: 9_000 }),
  ]);
  const need = needOf([read, sent], { messages: 1_000_000, seconds: 50, payloadBytes: 3_000 });
  // 20,000/s × (10 + 80) µs, and 20,000/s × 13,000 B.
  expect(need.mysql).toBeCloseTo(1.8 / BUSY_SHARE, 6);
  expect(need.binlog).toBeCloseTo(260e6, 0);
  expect(need.bolts).toBe(0);
});

test('a crowd of large payloads is smaller, so that 100 MB are written at most', () => {
  expect([250, 2_048, 10_240, 102_400].map((bytes) => crowdOf(20_000, bytes))).toEqual([20_000, 20_000, 9_765, 976]);
  expect(crowdOf(500, 102_400)).toBe(500);
});

const capacity = ['node', 'bench', '--scenario', 'capacity'];

test('the capacity is measured once for each of four payloads, unless others are given', () => {
  expect(parseOptions(capacity)).toMatchObject({ count: 20_000, payload: [250, 2_048, 10_240, 102_400], rounds: 1 });
  expect(parseOptions([...capacity, '--payload', '250', '--rounds', '3'])).toMatchObject({ payload: [250], rounds: 3 });
});

test('the logs of topics are counted over all segments and partitions, without indexes and other topics', () => {
  const folder = mkdtempSync(join(tmpdir(), 'logs-'));
  try {
    const files = {
      'due.webhook-0': {
        '00000000000000000000.log': 10,
        '00000000000000000005.log': 20,
        '00000000000000000000.index': 999,
      },
      'due.webhook-11': { '00000000000000000000.log': 30 },
      'due.webhook.old-0': { '00000000000000000000.log': 999 },
      'changes-0': { '00000000000000000000.log': 40, 'leader-epoch-checkpoint': 999 },
    };
    for (const [partition, sizes] of Object.entries(files)) {
      mkdirSync(join(folder, partition));
      for (const [file, size] of Object.entries(sizes)) writeFileSync(join(folder, partition, file), 'x'.repeat(size));
    }
    writeFileSync(join(folder, 'meta.properties'), '');
    expect(topicBytes(folder, ['due.webhook', 'changes'])).toBe(100);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe('the report', () => {
  const phases = ['written', 'read', 'sent'] as const;
  const measured = phases.flatMap((phase) => [
    point(phase, 1_000, { mysql: 30, bolts: phase === 'sent' ? 63 : 0, binlog: 1_500 }),
    point(phase, 10_000, { mysql: 30, bolts: phase === 'sent' ? 63 : 0, binlog: 10_500 }),
  ]);
  const line = (phase: CostPoint['phase']) => linesOf(measured.filter((one) => one.phase === phase));
  const report: CapacityReport = {
    points: measured,
    lines: { written: line('written'), read: line('read'), sent: line('sent') },
    atRest: costs({ mysql: 20_000 }),
    peaks: [{ payloadBytes: 1_000, bytes: { mysql: 900 * 1024 ** 2 } }],
    early: 0,
    duplicates: 0,
    lost: 0,
    deaths: 0,
  };
  const output = new Output();

  it('has the points, the lines through them, and what a million in a minute needs', () => {
    const text = capacityText(output, report);
    const rows = text.split('\n').map((row) => row.trim().split(/\s{2,}/));
    expect(rows).toContainEqual(['sent', '1000 B × 1,000', '30', '0.0', '0.0', '0.0', '63', '1,500', '0.0']);
    expect(rows.find(([phase, what]) => phase === 'sent' && what === 'line')).toContain('500 + 1,000/kB');
    // 16,667/s: 2 × 30 µs and 63 µs of cores that are 70 % busy, and 2 × 1,500 B.
    expect(rows).toContainEqual(['1000 B', 'read and sent', '1.4', '0.0', '0.0', '0.0', '1.5', '50.0', '0.0']);
    expect(rows).toContainEqual(['1000 B', 'written', '0.7', '0.0', '0.0', '0.0', '0.0', '25.0', '0.0']);
    expect(rows).toContainEqual(['1000 B', '900', '0', '0', '0', '0']);
    expect(text).toContain('MySQL 0.020');
    expect(text).toContain('Holds');
    expect(needsOf(report)[0]).toMatchObject({
      payloadBytes: 1_000,
      need: { bolts: expect.closeTo(1.5, 2) as number },
    });
  });

  it('does not hold where something was lost, early or sent twice, or a worker died', () => {
    expect(holds(report)).toBe(true);
    for (const what of ['lost', 'early', 'duplicates', 'deaths'] as const) {
      expect(holds({ ...report, [what]: 1 })).toBe(false);
    }
    expect(capacityText(output, { ...report, deaths: 1 })).toContain('workers that died: 1');
  });
});
