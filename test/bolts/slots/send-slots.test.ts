import { inspect } from 'node:util';
import type { HeldRow } from '../../../bolts/held-row';
import { heldRow } from '../../../bolts/held-row';
import { TO_START } from '../../../bolts/slots/line';
import { SendSlots } from '../../../bolts/slots/send-slots';

const settings = { concurrency: 16, perAccount: 4, perOrigin: 16, exact: false };

function rowFor(slots: SendSlots<HeldRow>, id: number, account: string, host: string, wakeAt = 0): HeldRow {
  const row = {
    id,
    account,
    wakeAt,
    channel: 'webhook',
    payload: '{}',
    version: 1,
    state: 'scheduled',
    attempts: 0,
    firstAttemptAt: null,
    planNumber: 1,
    inDoubt: false,
    decided: false,
    updatedAt: '',
    session: null,
  } as const;
  const tuple = {
    stream: 's',
    partition: 0,
    offset: id,
    timestamp: 0,
    value: { id, account, channel: 'webhook', wakeAt, version: 1 },
  };
  return heldRow(
    row,
    { prepared: {}, defect: undefined, origin: host },
    slots.enter(account, host),
    { tuple, ack: () => {} },
    0,
  );
}

/** Starts rows until there is no room for the next. @returns those that started */
function startAll(slots: SendSlots<HeldRow>, rows: readonly HeldRow[]): HeldRow[] {
  return rows.filter((row) => {
    if (slots.free === 0 || slots.blocker(row, TO_START) !== undefined) return false;
    slots.begin(row);
    return true;
  });
}

function many(slots: SendSlots<HeldRow>, count: number, host: (n: number) => string, from = 0): HeldRow[] {
  return Array.from({ length: count }, (_, n) => rowFor(slots, from + n, `a${from + n}`, host(n)));
}

/** Makes a host known by one answer. */
function teach(
  slots: SendSlots<HeldRow>,
  host: string,
  verdict: 'answered' | 'failed',
  elapsed: number,
  times = 1,
): void {
  for (let n = 0; n < times; n++) {
    const row = rowFor(slots, -1, 'teacher', host);
    slots.begin(row);
    slots.end(row, verdict, elapsed, 1);
    slots.leave(row.lane);
  }
}

describe('SendSlots', () => {
  it('1. at most concurrency in flight, perAccount of one account, perOrigin to one origin', () => {
    const slots = new SendSlots<HeldRow>({ ...settings, perOrigin: 6 });
    for (const host of ['h', 'i', 'j', 'k']) teach(slots, host, 'answered', 5);
    expect(
      startAll(
        slots,
        Array.from({ length: 9 }, (_, n) => rowFor(slots, n, 'a', 'h')),
      ),
    ).toHaveLength(4);
    expect(
      startAll(
        slots,
        many(slots, 9, () => 'h', 100),
      ),
    ).toHaveLength(2);
    expect(
      startAll(
        slots,
        many(slots, 30, (n) => ['i', 'j', 'k'][n % 3] as string, 200),
      ),
    ).toHaveLength(10);
    expect(slots.free).toBe(0);
  });

  it('2. no origin has all slots', () => {
    const slots = new SendSlots<HeldRow>(settings);
    teach(slots, 'h', 'answered', 5, 20);
    expect(
      startAll(
        slots,
        many(slots, 30, () => 'h'),
      ),
    ).toHaveLength(14);
  });

  it('3. origins that are slow or failing share a quarter of the slots', () => {
    const slots = new SendSlots<HeldRow>(settings);
    for (let n = 0; n < 10; n++) teach(slots, `slow${n}`, 'answered', 5_000);
    expect(slots.slowHosts).toBe(10);
    expect(
      startAll(
        slots,
        many(slots, 30, (n) => `slow${n % 10}`),
      ),
    ).toHaveLength(4);
  });

  it('3. one that keeps failing goes down to one, and grows with each answer', () => {
    const slots = new SendSlots<HeldRow>(settings);
    teach(slots, 'h', 'answered', 5, 30);
    teach(slots, 'h', 'failed', 5, 10);
    const rows = many(slots, 30, () => 'h');
    const [only, ...more] = startAll(slots, rows);
    expect(more).toEqual([]);
    slots.end(only as HeldRow, 'answered', 5, 2);
    expect(startAll(slots, rows)).toHaveLength(2);
  });

  it('4. an origin that is not known yet is tried with one request', () => {
    const slots = new SendSlots<HeldRow>(settings);
    // One each from the half for first requests, and a quarter more.
    const started = startAll(
      slots,
      many(slots, 20, (n) => `new${n}`),
    );
    expect(new Set(started.map(({ lane }) => lane.origin.name)).size).toBe(8);
    expect(
      startAll(
        slots,
        many(slots, 20, (n) => `new${n}`, 100),
      ),
    ).toHaveLength(4);
    teach(slots, 'known', 'answered', 5);
    expect(
      startAll(
        slots,
        many(slots, 10, () => 'known', 200),
      ),
    ).toHaveLength(4);
  });

  it('forgets accounts and hosts that nothing is for', () => {
    const slots = new SendSlots<HeldRow>(settings);
    const rows = many(slots, 10, (n) => `h${n}`);
    const contents = () => inspect(slots, { depth: null });
    expect(contents()).toContain("'a1'");
    for (const row of rows) slots.leave(row.lane);
    slots.prune(700_000);
    expect(contents()).not.toMatch(/'(a1|h1)'/);
    expect(slots.slowHosts).toBe(0);
  });
});

describe('WakeQueue', () => {
  it('1. a row without room holds nobody else', () => {
    const slots = new SendSlots<HeldRow>(settings);
    teach(slots, 'h', 'answered', 5, 20);
    const queue = slots.toStart;
    for (let id = 0; id < 20; id++) queue.add(rowFor(slots, id, 'crowded', 'h'));
    queue.add(rowFor(slots, 20, 'other', 'h'));
    const started: number[] = [];
    for (let row = queue.next(0); row !== undefined; row = queue.next(0)) {
      slots.begin(row);
      started.push(row.id);
    }
    expect(started).toEqual([0, 1, 2, 3, 20]);
    expect([queue.size, queue.ready]).toEqual([16, 0]);
  });

  it('2. within a lane the order is (time, id)', () => {
    const slots = new SendSlots<HeldRow>({ ...settings, perAccount: 1 });
    teach(slots, 'h', 'answered', 5, 20);
    const queue = slots.toStart;
    const order = [5, 3, 9, 1, 7, 4];
    for (const id of order) queue.add(rowFor(slots, id, 'a', 'h', id < 5 ? 100 : 50));
    const started: number[] = [];
    let late = true;
    for (let row = queue.next(200); row !== undefined; row = queue.next(200)) {
      slots.begin(row);
      expect(queue.next(200)).toBeUndefined();
      started.push(row.id);
      if (late) queue.add(rowFor(slots, 6, 'a', 'h', 50));
      late = false;
      slots.end(row, 'answered', 5, 1);
    }
    expect(started).toEqual([5, 6, 7, 9, 1, 3, 4]);
  });

  it('3. room is never left unused', () => {
    const slots = new SendSlots<HeldRow>({ ...settings, perAccount: 1, perOrigin: 1 });
    for (const host of ['h', 'i']) teach(slots, host, 'answered', 5);
    const queue = slots.toStart;
    const [first, second] = [rowFor(slots, 0, 'a', 'h'), rowFor(slots, 1, 'b', 'i')];
    for (const row of [first, second]) slots.begin(row);
    // `a` waits for its host's other lane first: when `h` has room, `a` does not need it, and `c` gets it.
    for (const row of [rowFor(slots, 2, 'b', 'h'), rowFor(slots, 3, 'c', 'h'), rowFor(slots, 4, 'a', 'i')])
      queue.add(row);
    expect(queue.next(0)).toBeUndefined();
    slots.end(first, 'answered', 5, 1);
    expect(queue.next(0)?.id).toBe(3);
  });

  it('rows can be taken out wherever they wait', () => {
    const slots = new SendSlots<HeldRow>({ ...settings, perAccount: 1, exact: true });
    const queue = slots.toClaim;
    const rows = Array.from({ length: 10 }, (_, id) => rowFor(slots, id, 'a', 'h'));
    for (const row of rows) queue.add(row);
    slots.nextBatch();
    const first = queue.next(0) as HeldRow;
    slots.reserve(first);
    expect(queue.next(0)).toBeUndefined();
    for (const row of rows.slice(1, 9)) queue.remove(row);
    expect(queue.parked().map(({ id }) => id)).toEqual([9]);
    slots.release(first);
    slots.batchEnded([first]);
    expect(queue.next(0)?.id).toBe(9);
    expect([queue.size, queue.ready]).toEqual([0, 0]);
  });

  it('a line whose rows were all taken out does not keep the next row', () => {
    const slots = new SendSlots<HeldRow>({ ...settings, perAccount: 1, exact: true });
    const queue = slots.toClaim;
    const [first, second, third] = [0, 1, 2].map((id) => rowFor(slots, id, 'a', 'h')) as [HeldRow, HeldRow, HeldRow];
    for (const row of [first, second]) queue.add(row);
    slots.nextBatch();
    slots.reserve(queue.next(0) as HeldRow);
    expect(queue.next(0)).toBeUndefined();
    queue.remove(second);
    // Nobody waits, so nobody is woken.
    slots.release(first);
    slots.batchEnded([first]);
    queue.add(third);
    expect(queue.next(0)?.id).toBe(2);
  });

  it('room that was given to a row which is taken out goes to the next line', () => {
    const slots = new SendSlots<HeldRow>({ ...settings, perOrigin: 1 });
    teach(slots, 'h', 'answered', 5);
    const queue = slots.toStart;
    const [first, second, third] = ['a', 'b', 'c'].map((account, id) => rowFor(slots, id, account, 'h')) as [
      HeldRow,
      HeldRow,
      HeldRow,
    ];
    slots.begin(first);
    for (const row of [second, third]) queue.add(row);
    expect(queue.next(0)).toBeUndefined();
    slots.end(first, 'answered', 5, 1);
    queue.remove(second);
    expect(queue.next(0)?.id).toBe(2);
  });
});
