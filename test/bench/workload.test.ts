import { type Figures, median } from './figures';
import { parseOptions } from './options';
import { UsageMeter } from './process-usage';
import { accountPicker, rowsOf, type Workload } from './workload';

const work: Workload = {
  name: 'w',
  count: 20_000,
  accounts: 5_000,
  payloadBytes: 250,
  url: 'http://127.0.0.1:20000/bench',
};

test('the same figures give the same rows, whole or in parts', () => {
  const whole = rowsOf(work, 0, 100, () => 1_800_000_000_000);
  expect([...rowsOf(work, 0, 40, () => 1_800_000_000_000), ...rowsOf(work, 40, 100, () => 1_800_000_000_000)]).toEqual(
    whole,
  );
  expect(new Set(whole.map(({ tag }) => tag)).size).toBe(100);
});

test('accounts are of uneven size, the biggest some 2 % of all', () => {
  const pick = accountPicker(5_000);
  const sizes = new Map<string, number>();
  for (let n = 0; n < 100_000; n++) sizes.set(pick(n), (sizes.get(pick(n)) ?? 0) + 1);
  const sorted = [...sizes.values()].toSorted((a, b) => b - a);
  expect((sorted[0] ?? 0) / 100_000).toBeGreaterThan(0.015);
  expect((sorted[0] ?? 0) / 100_000).toBeLessThan(0.025);
  expect(sizes.size).toBeGreaterThan(4_500);
  expect(sizes.size).toBeLessThanOrEqual(5_000);
});

test.each([250, 2_048])('a payload of %i bytes has that size and says when it is due', (payloadBytes) => {
  for (const { payload, tag } of rowsOf({ ...work, payloadBytes }, 0, 3, () => 1_800_000_000_000)) {
    expect(Buffer.byteLength(payload)).toBe(payloadBytes);
    expect(JSON.parse(payload)).toMatchObject({ headers: { 'x-due-at': '1800000000000', 'x-tag': tag } });
  }
});

test('the median round is the one in the middle by rate', () => {
  const rounds = [3, 1, 2].map((rate) => ({ rate }) as Figures);
  expect(median(rounds).rate).toBe(2);
  expect(median(rounds.slice(0, 2)).rate).toBe(1);
});

test('CPU time and peak memory are those of the process', () => {
  const meter = new UsageMeter([{ name: 'self', pid: process.pid }]);
  const [usage] = meter.read();
  expect(usage?.cpuSeconds).toBeGreaterThanOrEqual(0);
  expect(usage?.peakBytes).toBeGreaterThan(10 * 1024 ** 2);
});

test('the options of the benchmark have defaults, and a list replaces its default', () => {
  expect(parseOptions(['node', 'bench'])).toMatchObject({ scenario: 'all', count: 20_000, payload: [250, 2_048] });
  const given = ['--scenario', 'burst', '--payload', '100', '200', '--claim-ahead', 'off', '--json'];
  expect(parseOptions(['node', 'bench', ...given])).toMatchObject({
    scenario: 'burst',
    payload: [100, 200],
    claimAhead: 'off',
    json: true,
  });
  expect(parseOptions(['node', 'bench', '--scenario', 'cold'])).toMatchObject({ count: 2_000, rounds: 5 });
  const own = ['--scenario', 'cold', '--count', '500', '--rounds', '1'];
  expect(parseOptions(['node', 'bench', ...own])).toMatchObject({ count: 500, rounds: 1 });
});
