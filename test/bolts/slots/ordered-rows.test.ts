import { inspect } from 'node:util';
import { OrderedRows } from '../../../bolts/slots/ordered-rows';

const ROWS = 20_000;
/** Of a heap of so many: each comparison reads up to four times, and each level has one on the way in and two on the way out. */
const MAX_READS_PER_ROW = 3 * 4 * Math.ceil(Math.log2(ROWS));
let reads = 0;

class Row {
  constructor(
    readonly id: number,
    private readonly wake: number,
  ) {}

  get at(): number {
    reads++;
    return this.wake;
  }
}

const all = () => Array.from({ length: ROWS }, (_, n) => new Row(n, n));
const idsOf = (rows: Iterable<Row>) => [...rows].map(({ id }) => id);

beforeEach(() => {
  reads = 0;
});

test('rows that come in the opposite order cost no look at all the others, and leave in wake order', () => {
  const rows = new OrderedRows<Row>();
  for (const row of all().toReversed()) {
    rows.add(row);
    expect(rows.first()).toBe(row);
  }
  for (let id = 0; id < ROWS; id++) {
    const first = rows.first();
    expect(first?.id).toBe(id);
    if (first !== undefined) rows.delete(first);
  }
  expect([rows.size, rows.first()]).toEqual([0, undefined]);
  expect(reads).toBeLessThan(ROWS * MAX_READS_PER_ROW);
});

test('nor do rows that are taken out from behind, or that come and go behind one that stays', () => {
  const rows = new OrderedRows<Row>();
  const given = all();
  for (const row of given) rows.add(row);
  for (const row of given.slice(1).toReversed()) {
    expect([rows.delete(row), rows.delete(row)]).toEqual([true, false]);
    expect(rows.first()).toBe(given[0]);
  }
  for (const row of given.slice(1)) {
    rows.add(row);
    rows.delete(row);
  }
  expect([rows.size, rows.has(given[1] as Row), idsOf(rows.all())]).toEqual([1, false, [0]]);
  expect(reads).toBeLessThan(ROWS * MAX_READS_PER_ROW);
});

test('a row that comes again is there once', () => {
  const rows = new OrderedRows<Row>();
  const [first, second] = [new Row(1, 0), new Row(2, 0)];
  for (const row of [second, first, first]) rows.add(row);
  rows.delete(first);
  rows.add(first);
  expect([rows.size, idsOf(rows.takeFirst(5)), rows.size]).toEqual([2, [1, 2], 0]);
});

test('a row that is gone is not kept in memory, whatever waits before it', () => {
  const rows = new OrderedRows<{ readonly id: number; readonly at: number; readonly payload: string }>();
  const edited = Array.from({ length: 100 }, (_, n) => ({ id: n + 2, at: n + 1, payload: `payload ${n}` }));
  for (const row of [{ id: 1, at: 0, payload: 'the first' }, ...edited]) rows.add(row);
  for (const row of edited) rows.delete(row);
  const kept = inspect(rows, { depth: null, maxArrayLength: null });
  expect(kept).toContain('the first');
  expect(kept).not.toContain('payload 99');
});

test('one that comes and goes does not make them many', () => {
  const rows = new OrderedRows<Row>();
  const [first, second] = [new Row(1, 0), new Row(2, 1)];
  rows.add(first);
  for (let n = 0; n < ROWS; n++) {
    rows.add(second);
    rows.delete(second);
  }
  expect(rows.first()).toBe(first);
  expect(inspect(rows, { depth: null, maxArrayLength: null }).match(/id:/g)?.length).toBeLessThan(2_000);
});
