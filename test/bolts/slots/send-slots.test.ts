import { inspect } from 'node:util';
import type { HeldRow } from '../../../bolts/held-row';
import { heldRow } from '../../../bolts/held-row';
import { TO_START, type Verdict } from '../../../bolts/slots/line';
import { SendSlots } from '../../../bolts/slots/send-slots';

const settings = { concurrency: 16, perAccount: 4, perOrigin: 16, exact: false };

function rowFor(slots: SendSlots<HeldRow>, id: number, account: string, host: string, wakeAt = 0): HeldRow {
  const row = {
    id,
    account,
    dueAt: wakeAt,
    wakeAt,
    channel: 'webhook',
    payload: '{}',
    payloadBytes: 2,
    version: 1,
    state: 'scheduled',
    attempts: 0,
    firstAttemptAt: null,
    lateFrom: null,
    sendWithinMs: null,
    onLate: null,
    planNumber: 1,
    inDoubt: false,
    doubtSince: null,
    recoveries: 0,
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
    slots.begin(row, 0);
    return true;
  });
}

function many(slots: SendSlots<HeldRow>, count: number, host: (n: number) => string, from = 0): HeldRow[] {
  return Array.from({ length: count }, (_, n) => rowFor(slots, from + n, `a${from + n}`, host(n)));
}

/** Claims rows until there is no room for the next. @param now, until: times of a batch that is claimed ahead */
function claimAll(slots: SendSlots<HeldRow>, now: number, until: number): HeldRow[] {
  const claimed: HeldRow[] = [];
  slots.nextBatch(now);
  for (let row = slots.toClaim.next(until); row !== undefined; row = slots.toClaim.next(until)) {
    slots.reserve(row);
    claimed.push(row);
  }
  return claimed;
}

function rowsOf(slots: SendSlots<HeldRow>, count: number, account: string, host: string, at = 0, from = 0): HeldRow[] {
  return Array.from({ length: count }, (_, n) => rowFor(slots, from + n, account, host, at));
}

/** Makes a lane of a host known by answers. */
function teach(slots: SendSlots<HeldRow>, host: string, verdict: Verdict, elapsed: number, times = 1): void {
  for (let n = 0; n < times; n++) {
    const row = rowFor(slots, -1, 'teacher', host);
    slots.begin(row, 0);
    slots.end(row, verdict, elapsed, 1);
    slots.leave(row.lane);
  }
}

/**
 * Claims what waits. Rows that may try their origin do, the others are given back; all wait again.
 * @returns the accounts that tried
 */
function round(slots: SendSlots<HeldRow>, verdict: Verdict, now: number): string[] {
  const claimed = claimAll(slots, 0, 0);
  const tried = claimed.filter((row) => !slots.isUnreachable(row));
  for (const row of tried) {
    slots.begin(row, 0);
    slots.end(row, verdict, 5, now);
  }
  for (const row of claimed) slots.release(row);
  slots.batchEnded(claimed);
  for (const row of claimed) slots.toClaim.add(row);
  return tried.map(({ lane }) => lane.account.name);
}

describe('SendSlots', () => {
  it('1. at most concurrency in flight, perAccount of one account, perOrigin to one origin', () => {
    const slots = new SendSlots<HeldRow>({ ...settings, perOrigin: 6 });
    for (const host of ['h', 'i', 'j', 'k']) teach(slots, host, 'answered', 5);
    expect(startAll(slots, rowsOf(slots, 9, 'a', 'h'))).toHaveLength(4);
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

  it('2. no origin has all slots, nor have some accounts: in the last eighth one has no more starts than it leaves', () => {
    const slots = new SendSlots<HeldRow>(settings);
    const accounts = ['a', 'b', 'c', 'd'];
    for (const host of [...accounts, 'e', 'f']) teach(slots, host, 'answered', 5, 20);
    const busy = accounts.flatMap((account, n) => rowsOf(slots, 4, account, account, 0, n * 4));
    const started = startAll(slots, busy);
    expect(started).toHaveLength(14);
    const others = ['e', 'f'].flatMap((account, n) => rowsOf(slots, 2, account, account, 0, 100 + n * 2));
    const few = startAll(slots, others);
    expect(few.map(({ lane }) => lane.account.name)).toEqual(['e', 'f']);
    for (const row of started.slice(0, 3)) slots.end(row, 'answered', 5, 2);
    expect(startAll(slots, busy.slice(14))).toHaveLength(1);
  });

  describe('3. a row is claimed only if it can start', () => {
    it('in a lane that is not quick, and not before its time', () => {
      const slots = new SendSlots<HeldRow>(settings);
      const rows = [...rowsOf(slots, 5, 'a', 'new', 10), rowFor(slots, 99, 'b', 'other', 20)];
      for (const row of rows) slots.toClaim.add(row);
      // Four starts of the account, of eight in the pool, of which it takes no more than it leaves.
      expect(claimAll(slots, 10, 1_000).map(({ id }) => id)).toEqual([0, 1, 2, 3]);
      expect([slots.nextClaimAt, slots.toClaim.ready]).toEqual([20, 0]);
      expect(claimAll(slots, 20, 1_000).map(({ id }) => id)).toEqual([99]);
      expect(rows.filter(({ hasStart }) => hasStart)).toHaveLength(5);
    });

    it('and more in a lane that is quick, or some when it is new at an origin that is quick for others', () => {
      const slots = new SendSlots<HeldRow>(settings);
      teach(slots, 'h', 'answered', 5, 20);
      const [known, presumed] = [rowsOf(slots, 40, 'teacher', 'h', 10), rowsOf(slots, 40, 'new', 'h', 10, 100)];
      for (const row of [...known, ...presumed]) slots.toClaim.add(row);
      const claimed = claimAll(slots, 0, 1_000);
      expect(claimed.filter(({ lane }) => lane.account.name === 'teacher')).toHaveLength(8 * 4);
      expect(claimed.filter(({ lane }) => lane.account.name === 'new')).toHaveLength(4);
      expect(claimed.filter(({ hasStart }) => hasStart)).toEqual([]);
    });
  });

  describe('4. lanes that are slow or failing share a quarter of the slots, new ones another half', () => {
    it('however many there are', () => {
      const slots = new SendSlots<HeldRow>(settings);
      const slow = many(slots, 30, (n) => `slow${n}`);
      for (const { lane } of slow) lane.judge('answered', 5_000, 1);
      expect(slots.slowLanes).toBe(30);
      expect(startAll(slots, slow)).toHaveLength(4);
      expect(
        startAll(
          slots,
          many(slots, 30, (n) => `new${n}`, 100),
        ),
      ).toHaveLength(8);
      teach(slots, 'known', 'answered', 5);
      expect(
        startAll(
          slots,
          many(slots, 10, () => 'known', 200),
        ),
      ).toHaveLength(4);
    });

    it('and one account that finds an origin slow does not make another share with slow lanes', () => {
      const slots = new SendSlots<HeldRow>({ ...settings, perAccount: 16 });
      const [slow] = rowsOf(slots, 1, 'slow', 'h') as [HeldRow];
      slow.lane.judge('answered', 5_000, 1);
      expect(startAll(slots, rowsOf(slots, 9, 'new', 'h', 0, 10))).toHaveLength(4);
      const [also] = rowsOf(slots, 1, 'also', 'h', 0, 30) as [HeldRow];
      also.lane.judge('answered', 5_000, 1);
      expect(startAll(slots, rowsOf(slots, 9, 'newer', 'h', 0, 40))).toHaveLength(2);
    });

    it('and an account takes no more than it leaves free, whatever number of origins it has; neither does an origin', () => {
      const slots = new SendSlots<HeldRow>({ ...settings, perAccount: 16 });
      const one = Array.from({ length: 30 }, (_, n) => rowFor(slots, n, 'one', `origin${n}`));
      expect(startAll(slots, one)).toHaveLength(4);
      expect(
        startAll(
          slots,
          many(slots, 30, () => 'shared', 100),
        ),
      ).toHaveLength(2);
      expect(startAll(slots, [rowFor(slots, 300, 'late', 'later')])).toHaveLength(1);
    });

    it('and accounts take turns, however many rows one of them has and however old they are', () => {
      const slots = new SendSlots<HeldRow>({ ...settings, perAccount: 16, concurrency: 4 });
      for (let n = 0; n < 50; n++) slots.toStart.add(rowFor(slots, n, 'many', `m${n}`));
      for (let n = 0; n < 3; n++) slots.toStart.add(rowFor(slots, 100 + n, `few${n}`, `f${n}`, 1_000));
      const begun: string[] = [];
      const waiting: HeldRow[] = [];
      const start = () => {
        for (let row = slots.toStart.next(1_000); row !== undefined; row = slots.toStart.next(1_000)) {
          slots.begin(row, 0);
          waiting.push(row);
          begun.push(row.lane.account.name);
        }
      };
      for (start(); begun.length < 10; start()) slots.end(waiting.shift() as HeldRow, 'nothing', 5, 1);
      expect(
        begun
          .slice(0, 6)
          .filter((name) => name !== 'many')
          .toSorted(),
      ).toEqual(['few0', 'few1', 'few2']);
    });
  });

  it("5. one account's answers narrow no other account", () => {
    const slots = new SendSlots<HeldRow>(settings);
    teach(slots, 'shared', 'answered', 5, 20);
    const [hanging] = rowsOf(slots, 1, 'hostile', 'shared') as [HeldRow];
    for (let n = 0; n < 20; n++) hanging.lane.judge('failed', 10_000, 1);
    expect(startAll(slots, rowsOf(slots, 9, 'hostile', 'shared', 0, 10))).toHaveLength(1);
    expect(
      startAll(
        slots,
        many(slots, 30, () => 'shared', 100),
      ),
    ).toHaveLength(13);
  });

  describe('6. an origin that cannot be reached is tried with one request at a time', () => {
    it('at growing distances, and by all again when it can', () => {
      const slots = new SendSlots<HeldRow>(settings);
      teach(slots, 'h', 'answered', 5, 20);
      for (const row of many(slots, 30, () => 'h')) slots.toClaim.add(row);
      expect(round(slots, 'unreachable', 0).length).toBeGreaterThan(2);
      const tries: number[] = [];
      for (let now = 0; now <= 20_000; now += 500) {
        slots.sweep(now);
        for (const _ of round(slots, 'unreachable', now)) tries.push(now);
      }
      expect(tries).toEqual([1_000, 3_000, 7_000, 15_000]);
      slots.sweep(40_000);
      expect(round(slots, 'answered', 40_000)).toHaveLength(1);
      expect(round(slots, 'answered', 40_000).length).toBeGreaterThan(10);
    });

    it('and accounts take turns, whatever came of it', () => {
      const slots = new SendSlots<HeldRow>(settings);
      teach(slots, 'h', 'unreachable', 5, 3);
      for (const account of ['broken', 'other', 'last'])
        for (const row of rowsOf(slots, 5, account, 'h', 0, account.length * 10)) slots.toClaim.add(row);
      slots.sweep(1_001);
      const turns: string[][] = [];
      for (let n = 0; n < 3; n++) turns.push(round(slots, 'nothing', 1_000));
      expect(turns.flat().toSorted()).toEqual(['broken', 'last', 'other']);
      // Another account may come meanwhile, so it begins again after one pause more.
      slots.sweep(1_900);
      expect(round(slots, 'nothing', 1_900)).toEqual([]);
      slots.sweep(2_001);
      expect(round(slots, 'answered', 2_001)).toHaveLength(1);
    });

    it('and an account that has no room for a request gets no turn', () => {
      const slots = new SendSlots<HeldRow>(settings);
      teach(slots, 'h', 'unreachable', 5, 3);
      startAll(slots, rowsOf(slots, 4, 'full', 'slow', 0, 10));
      for (const account of ['full', 'other'])
        for (const row of rowsOf(slots, 2, account, 'h', 0, account === 'full' ? 0 : 20)) slots.toClaim.add(row);
      slots.sweep(1_001);
      expect(round(slots, 'answered', 1_001)).toEqual(['other']);
    });

    it('and an account that does not use its turn after all passes it on', () => {
      const slots = new SendSlots<HeldRow>(settings);
      teach(slots, 'h', 'unreachable', 5, 3);
      for (const row of rowsOf(slots, 2, 'paused', 'h')) slots.toClaim.add(row);
      slots.sweep(1_001);
      slots.nextBatch(0);
      slots.passOn(slots.toClaim.next(0) as HeldRow);
      for (const row of rowsOf(slots, 2, 'other', 'h', 0, 20)) slots.toClaim.add(row);
      expect(round(slots, 'answered', 1_001)).toEqual(['other']);
    });

    it('and is remembered when nothing is for it', () => {
      const slots = new SendSlots<HeldRow>(settings);
      teach(slots, 'h', 'unreachable', 5, 3);
      for (const row of many(slots, 5, () => 'h')) slots.toClaim.add(row);
      expect(round(slots, 'unreachable', 500)).toEqual([]);
      slots.sweep(1_001);
      expect(round(slots, 'answered', 1_001)).toHaveLength(1);
    });
  });

  describe('7. rows whose origin is down do not wait here', () => {
    it('also those that waited for room when it went down', () => {
      const slots = new SendSlots<HeldRow>(settings);
      const rows = rowsOf(slots, 10, 'a', 'h');
      for (const row of rows) slots.toClaim.add(row);
      const begun = claimAll(slots, 0, 0);
      expect(begun).toHaveLength(4);
      for (const row of begun) slots.begin(row, 0);
      slots.batchEnded(begun);
      expect(slots.toClaim.ready).toBe(0);
      for (const row of begun) slots.end(row, 'unreachable', 5, 0);
      for (const row of begun) slots.release(row);
      // A quarter of the slots at a time.
      const others = claimAll(slots, 0, 0);
      expect(others).toHaveLength(4);
      slots.batchEnded(others);
      expect(claimAll(slots, 0, 0)).toHaveLength(0);
      for (const row of others) slots.release(row);
      others.push(...claimAll(slots, 0, 0));
      expect(others).toHaveLength(6);
      expect(others.every((row) => slots.isUnreachable(row))).toBe(true);
    });

    it('but until their time, and claimed rows until they are to be started', () => {
      const slots = new SendSlots<HeldRow>(settings);
      teach(slots, 'h', 'answered', 5, 20);
      const [early, late] = [rowsOf(slots, 3, 'teacher', 'h', 10), rowsOf(slots, 3, 'teacher', 'h', 20, 10)];
      for (const row of early) slots.toClaim.add(row);
      const claimed = claimAll(slots, 0, 1_000);
      expect(claimed).toHaveLength(3);
      slots.batchEnded(claimed);
      for (const row of claimed) slots.toStart.add(row);
      teach(slots, 'h', 'unreachable', 5, 3);
      for (const row of late) slots.toClaim.add(row);
      expect(claimAll(slots, 10, 1_000)).toEqual([]);
      expect(slots.nextClaimAt).toBe(20);
      expect(slots.toStart.next(9)).toBeUndefined();
      expect(slots.isUnreachable(slots.toStart.next(10) as HeldRow)).toBe(true);
    });
  });

  describe('8. quick hosts that begin to hang keep no slots, whatever number of accounts they belong to', () => {
    const wide = { ...settings, concurrency: 64, perAccount: 16, perOrigin: 64 };
    let slots: SendSlots<HeldRow>;
    let id: number;

    beforeEach(() => {
      slots = new SendSlots<HeldRow>(wide);
      id = 0;
    });

    /** Accounts with a quick host each. */
    function quickAccounts(count: number): string[] {
      const names = Array.from({ length: count }, (_, n) => `q${n}`);
      for (const name of names) {
        for (let n = 0; n < 20; n++) {
          const row = rowFor(slots, -1, name, name);
          slots.begin(row, 0);
          slots.end(row, 'answered', 5, 0);
        }
      }
      return names;
    }

    /** Starts what can be started of so many rows of each account. */
    function startOf(names: readonly string[], each: number, now: number): HeldRow[] {
      const rows = names.flatMap((name) => rowsOf(slots, each, name, name, 0, (id += each)));
      return rows.filter((row) => {
        if (slots.free === 0 || slots.blocker(row, TO_START) !== undefined) return false;
        slots.take(row);
        slots.begin(row, now);
        return true;
      });
    }

    it('and after a second their requests take none', () => {
      const hanging = startOf(quickAccounts(8), 16, 10);
      const count = hanging.length;
      expect(count).toBeGreaterThan(64 - 8);
      slots.letSilentGo(1_009);
      expect(slots.free).toBe(64 - count);
      slots.letSilentGo(1_010);
      expect([slots.free, slots.inFlight, slots.used]).toEqual([64, count, 0]);
      for (const row of hanging) slots.end(row, 'failed', 10_000, 10_010);
      expect([slots.free, slots.inFlight, slots.used]).toEqual([64, 0, count]);
      for (const row of hanging) slots.release(row);
      expect(slots.used).toBe(0);
    });

    it('and an account may have fewer starts the more of them there are', () => {
      const names = quickAccounts(70);
      const started: number[] = [];
      for (let now = 10; now < 5_000; now += 1_000) {
        started.push(startOf(names, 16, now).length);
        slots.letSilentGo(now + 1_000);
      }
      expect(slots.inFlight).toBeLessThanOrEqual(2 * 64);
      // Room is left for somebody else, at once and whatever has happened.
      expect(started.at(-1)).toBe(0);
      expect(startOf(['somebody'], 1, 6_000)).toHaveLength(1);
    });

    it('and a lane is as any slow one until its origin answers somebody', () => {
      const [name] = quickAccounts(1) as [string];
      startOf([name], 1, 10);
      slots.letSilentGo(1_010);
      const pooled = () => startOf([name], 1, 1_010).map(({ pool }) => pool !== undefined);
      expect(pooled()).toEqual([true]);
      const [other] = rowsOf(slots, 1, 'somebody', name) as [HeldRow];
      slots.begin(other, 1_500);
      slots.end(other, 'failed', 100, 1_600);
      expect(pooled()).toEqual([true]);
      slots.begin(other, 1_700);
      slots.end(other, 'answered', 1_500, 3_200);
      expect(pooled()).toEqual([false]);
    });

    it('but one whose origin answers others keeps its slot, because more requests would make a slow one slower', () => {
      const [name] = quickAccounts(1) as [string];
      const [hanging, answered] = startOf([name], 2, 10) as [HeldRow, HeldRow];
      slots.end(answered, 'answered', 20, 30);
      slots.letSilentGo(1_029);
      expect(hanging.isSilent).toBe(false);
      expect(startOf([name], 1, 1_029).map(({ pool }) => pool)).toEqual([undefined]);
      slots.letSilentGo(1_030);
      expect(hanging.isSilent).toBe(true);
    });

    it('and lines that wait behind a host that hung proceed with its first answer', () => {
      const names = quickAccounts(20);
      const hanging = startOf(names, 2, 10);
      slots.letSilentGo(1_010);
      const rows = names.flatMap((name) => rowsOf(slots, 4, name, name, 0, (id += 4)));
      for (const row of rows) slots.toStart.add(row);
      const begin = () => {
        let begun = 0;
        for (let row = slots.toStart.next(0); row !== undefined && slots.free > 0; row = slots.toStart.next(0)) {
          slots.begin(row, 1_010);
          begun++;
        }
        return begun;
      };
      expect(begin()).toBeLessThanOrEqual(16);
      const ended = hanging.at(-1) as HeldRow;
      slots.end(ended, 'answered', 1_200, 1_210);
      expect(begin()).toBeGreaterThanOrEqual(2);
    });
  });

  it('forgets lanes that nothing is for, after a while or when there are too many', () => {
    const slots = new SendSlots<HeldRow>(settings);
    const rows = many(slots, 10, (n) => `h${n}`);
    const contents = () => inspect(slots, { depth: null });
    expect(contents()).toContain("'a1'");
    const crowd = Array.from({ length: 1_500 }, (_, n) => rowFor(slots, 100 + n, 'crowd', `c${n}`));
    for (const { lane } of [...rows, ...crowd]) lane.judge('answered', 5_000, 1);
    for (const row of [...rows, ...crowd]) slots.leave(row.lane);
    expect(slots.slowLanes).toBe(1_010);
    slots.sweep(600_000);
    expect(slots.slowLanes).toBe(1_010);
    slots.sweep(600_002);
    expect(contents()).not.toMatch(/'(a1|h1|crowd|c1)'/);
    expect(slots.slowLanes).toBe(0);
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
      slots.begin(row, 0);
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
      slots.begin(row, 0);
      expect(queue.next(200)).toBeUndefined();
      started.push(row.id);
      if (late) queue.add(rowFor(slots, 6, 'a', 'h', 50));
      late = false;
      slots.end(row, 'answered', 5, 1);
    }
    expect(started).toEqual([5, 6, 7, 9, 1, 3, 4]);
  });

  it('2. within a lane the order is (time, id), and a line with an earlier row comes before others', () => {
    const slots = new SendSlots<HeldRow>(settings);
    const queue = slots.toClaim;
    // New lanes are not claimed ahead of their time: their lines wait for it.
    for (let n = 0; n < 8; n++) queue.add(rowFor(slots, n, `a${n}`, `h${n}`, 100 + n));
    expect(claimAll(slots, 10, 1_000)).toEqual([]);
    queue.add(rowFor(slots, 50, 'a7', 'h7', 20));
    expect(claimAll(slots, 10, 1_000)).toEqual([]);
    expect(slots.nextClaimAt).toBe(20);
    expect(claimAll(slots, 20, 1_000).map(({ id }) => id)).toEqual([50]);
    expect(claimAll(slots, 100, 1_000).map(({ id }) => id)).toEqual([0]);
  });

  it('3. room is never left unused', () => {
    const slots = new SendSlots<HeldRow>({ ...settings, perAccount: 1, perOrigin: 1 });
    for (const host of ['h', 'i']) teach(slots, host, 'answered', 5);
    const queue = slots.toStart;
    const [first, second] = [rowFor(slots, 0, 'a', 'h'), rowFor(slots, 1, 'b', 'i')];
    for (const row of [first, second]) slots.begin(row, 0);
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
    slots.nextBatch(0);
    const first = queue.next(0) as HeldRow;
    slots.reserve(first);
    expect(queue.next(0)).toBeUndefined();
    for (const row of rows.slice(1, 9)) queue.remove(row);
    expect(queue.parked(() => true).map(({ id }) => id)).toEqual([9]);
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
    slots.nextBatch(0);
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
    slots.begin(first, 0);
    for (const row of [second, third]) queue.add(row);
    expect(queue.next(0)).toBeUndefined();
    slots.end(first, 'answered', 5, 1);
    queue.remove(second);
    expect(queue.next(0)?.id).toBe(2);
  });
});
