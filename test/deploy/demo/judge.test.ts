import { type Arrival, type FinalRow, judge, type Told } from '../../../deploy/demo/judge';

const DUE = 1_800_000_000_000;
const LEAD_MS = 2_000;

const told = (key: string, over: Partial<Told> = {}): Told => ({
  key,
  channel: 'webhook',
  account: 'a',
  plans: [{ revision: 1, dueAt: DUE, acknowledgedAt: DUE - 9_000 }],
  canceledAt: null,
  ...over,
});
const edited = (key: string) =>
  told(key, {
    plans: [
      { revision: 1, dueAt: DUE, acknowledgedAt: DUE - 9_000 },
      { revision: 2, dueAt: DUE + 1_000, acknowledgedAt: DUE - 100 },
    ],
  });
const arrival = (key: string, over: Partial<Arrival> = {}): Arrival => ({
  key,
  revision: 1,
  at: DUE + 5,
  accepted: true,
  ...over,
});
const row = (key: string, over: Partial<FinalRow> = {}): FinalRow => ({
  key,
  state: 'delivered',
  inDoubt: false,
  ...over,
});

test('a run in which everything was accepted once or canceled holds', () => {
  const verdict = judge(
    [told('a'), edited('b'), told('c', { canceledAt: DUE - 50 })],
    [arrival('a'), arrival('b', { revision: 2, at: DUE + 1_007 })],
    [row('a'), row('b'), row('c', { state: 'canceled' })],
    LEAD_MS,
  );
  expect(verdict).toMatchObject({ told: 3, acceptedOnce: 2, canceled: 1, holds: true, examples: [] });
  expect(verdict.deliveries.map(({ dueAt, at }) => at - dueAt)).toEqual([5, 7]);
});

test('a request repeated because the row was in doubt is explained', () => {
  const verdict = judge(
    [told('a')],
    [arrival('a'), arrival('a', { at: DUE + 15_000, accepted: false })],
    [row('a', { inDoubt: true })],
    LEAD_MS,
  );
  expect(verdict).toMatchObject({ acceptedOnce: 1, repeatedInDoubt: 1, repeatedWithoutDoubt: 0, holds: true });
});

describe('planted violations', () => {
  test.each<[string, string, Told[], Arrival[], FinalRow[]]>([
    ['lost', 'a message nobody received', [told('a')], [], [row('a', { state: 'scheduled' })]],
    [
      'lost',
      'a request that the receiver never accepted',
      [told('a')],
      [arrival('a', { accepted: false })],
      [row('a', { state: 'failed' })],
    ],
    ['duplicates', 'a message accepted twice', [told('a')], [arrival('a'), arrival('a', { at: DUE + 9 })], [row('a')]],
    [
      'repeatedWithoutDoubt',
      'a second request without a reason',
      [told('a')],
      [arrival('a'), arrival('a', { accepted: false, at: DUE + 9 })],
      [row('a')],
    ],
    ['early', 'a request one millisecond early', [told('a')], [arrival('a', { at: DUE - 1 })], [row('a')]],
    ['early', 'new content at the old time', [edited('a')], [arrival('a', { revision: 2, at: DUE + 2 })], [row('a')]],
    [
      'afterCancel',
      'a request after an acknowledged cancel',
      [told('a', { canceledAt: DUE - 500 })],
      [arrival('a')],
      [row('a', { state: 'canceled' })],
    ],
    ['oldContent', 'old content after an acknowledged edit', [edited('a')], [arrival('a')], [row('a')]],
    ['oldContent', 'content whose edit was refused', [told('a')], [arrival('a', { revision: 2 })], [row('a')]],
    ['strangers', 'a message nobody scheduled', [], [arrival('x')], []],
    ['tableDisagrees', 'a row that still waits', [told('a')], [arrival('a')], [row('a', { state: 'scheduled' })]],
    ['tableDisagrees', 'a row that is gone', [told('a')], [arrival('a')], []],
    [
      'tableDisagrees',
      'a row delivered that the receiver never saw',
      [told('a')],
      [],
      [row('a', { state: 'delivered' })],
    ],
    [
      'tableDisagrees',
      'a cancel acknowledged and not in the table',
      [told('a', { canceledAt: DUE - 500 })],
      [],
      [row('a', { state: 'scheduled' })],
    ],
  ])('%s: %s', (kind, _name, messages, arrivals, rows) => {
    const good = judge([...messages, told('good')], [...arrivals, arrival('good')], [...rows, row('good')], LEAD_MS);
    expect(good).toMatchObject({ [kind]: 1, holds: false });
    expect(good.examples.some((line) => line.startsWith(kind))).toBe(true);
  });
});

test('examples are few, counts are whole', () => {
  const messages = Array.from({ length: 50 }, (_, index) => told(`m${index}`));
  const verdict = judge(
    messages,
    [],
    messages.map((message) => row(message.key, { state: 'scheduled' })),
    LEAD_MS,
  );
  expect(verdict.lost).toBe(50);
  expect(verdict.examples.filter((line) => line.startsWith('lost'))).toHaveLength(3);
});

/** Due that long after the others, planned so long ahead, accepted so long after it was due. */
const message = (key: string, after: number, { ahead = 9_000, late = 5, over = {} } = {}) => {
  const dueAt = DUE + after;
  const plans = [{ revision: 1, dueAt, acknowledgedAt: dueAt - ahead }];
  return { told: told(key, { plans, ...over }), arrival: arrival(key, { at: dueAt + late }), row: row(key) };
};
const unordered = (messages: readonly ReturnType<typeof message>[], orderedAheadMs: number | null = LEAD_MS) => {
  const [all, seen, rows] = [messages.map((one) => one.told), messages.map((one) => one.arrival), messages];
  return judge(
    all,
    seen,
    rows.map((one) => one.row),
    orderedAheadMs,
  );
};
describe('the order of an account', () => {
  const later = message('later', 3_000);

  test('is broken by a message that is accepted after one that was due later', () => {
    const verdict = unordered([message('first', 0, { late: 3_100 }), later]);
    expect(verdict).toMatchObject({ unordered: 1, holds: false });
    expect(verdict.examples).toEqual(['unordered: first: accepted after later, which was due 3000 ms later']);
  });

  test.each([
    ['accounts', { account: 'b' }],
    ['channels', { channel: 'mastodon' }],
  ])('is none between %s', (_, over) => {
    expect(unordered([message('first', 0, { late: 3_100, over }), later])).toMatchObject({ holds: true });
  });

  test.each([
    ['what was due within a second', message('first', 2_500, { late: 600 })],
    ['what was planned for less than the lead ahead', message('first', 0, { late: 3_100, ahead: 1_500 })],
  ])('is not promised to %s', (_, first) => {
    expect(unordered([first, later])).toMatchObject({ unordered: 0, holds: true });
  });

  test('is promised to nobody when a worker died, and not to what is in doubt', () => {
    const first = message('first', 0, { late: 3_100 });
    expect(unordered([first, later], null)).toMatchObject({ unordered: 0, holds: true });
    expect(unordered([{ ...first, row: row('first', { inDoubt: true }) }, later])).toMatchObject({ unordered: 0 });
  });
});
