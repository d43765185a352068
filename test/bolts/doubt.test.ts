import type { Outcome } from '../../topology/message';
import type { MemoryRow } from '../support/mysql/memory-table';
import { World, type WorldOptions } from './world';

describe('4. doubt is never hidden', () => {
  let world: World;

  async function start(options: WorldOptions = {}): Promise<World> {
    world = await new World(options).open();
    return world;
  }

  afterEach(() => world.close());

  const unknown: Outcome = { kind: 'unknown', reason: 'no answer' };
  const postponed: Outcome = { kind: 'postponed', reason: 'the secret cannot be read' };

  /** Emits the row whenever it is scheduled, as the spouts would, for so long. */
  async function run(row: ReturnType<World['row']>, milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 500) {
      if (row.state === 'scheduled') world.emit(row);
      await world.advance(500);
    }
  }

  it('an unknown outcome on an idempotent channel is sent again with the same key', async () => {
    await start();
    const row = world.row(100);
    world.channel.script(row.id, { outcome: unknown });
    await run(row, 500);
    expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, version: 2, attempts: 1 });
    await run(row, 5_000);
    expect(row).toMatchObject({ state: 'delivered', attempts: 2 });
    expect(new Set(world.channel.journal.map(({ key }) => key)).size).toBe(1);
    expect(world.begun(row)).toHaveLength(2);
  });

  it('a row in doubt that is rejected ends uncertain', async () => {
    await start();
    const row = world.row(100);
    world.channel.script(
      row.id,
      { outcome: unknown },
      { outcome: { kind: 'rejected', reason: 'HTTP 400', status: 400 } },
    );
    await run(row, 5_000);
    expect(row).toMatchObject({ state: 'uncertain', inDoubt: true, lastError: 'HTTP 400' });
  });

  it('on a lookup channel the provider is asked first, and not before a request can be accepted no more', async () => {
    await start({ class: 'lookup' });
    world.channel.acceptedWithin = 8_000;
    const [accepted, absent] = [world.row(100), world.row(100)];
    world.channel.lookups.set(accepted.id, { kind: 'accepted', receipt: 'earlier' });
    for (const row of [accepted, absent]) world.channel.script(row.id, { outcome: unknown });
    await run(accepted, 500);
    world.emit(absent);
    await world.advance(500);
    expect(world.states([accepted, absent])).toEqual(['scheduled']);
    for (let passed = 0; passed < 20_000; passed += 500) {
      for (const row of [accepted, absent]) if (row.state === 'scheduled') world.emit(row);
      await world.advance(500);
    }
    expect(accepted).toMatchObject({ state: 'delivered', receipt: 'earlier' });
    expect(absent).toMatchObject({ state: 'delivered', receipt: `receipt-${absent.id}` });
    expect(world.begun(accepted)).toHaveLength(1);
    expect(world.begun(absent)).toHaveLength(2);
    for (const { id, at } of world.channel.looked) {
      const first = world.channel.journal.find((begun) => begun.id === id)?.at as number;
      expect(at - first).toBeGreaterThanOrEqual(8_000);
    }
  });

  /** A row whose first request began so long ago, and may have been accepted. */
  function doubtedFor(ago: number | null): MemoryRow {
    const row = world.row(100);
    return Object.assign(row, { inDoubt: true, doubtSince: ago === null ? null : world.database.now() - ago });
  }

  describe('while a key lives only for a time', () => {
    const LIFETIME = 60_000;

    async function brief(options: WorldOptions = {}): Promise<void> {
      await start(options);
      Object.assign(world.channel, { acceptedWithin: 8_000, keyLifetimeMs: LIFETIME });
    }

    it('the row is sent again with the same key, and not before a request can be accepted no more', async () => {
      await brief();
      const row = world.row(100);
      world.channel.script(row.id, { outcome: unknown });
      await run(row, 15_000);
      expect(row).toMatchObject({ state: 'delivered', attempts: 2 });
      const [first, second] = world.channel.journal;
      expect([first?.inDoubt, second?.inDoubt, second?.key]).toEqual([false, true, first?.key]);
      expect((second?.at as number) - (first?.at as number)).toBeGreaterThanOrEqual(8_000);
      expect(world.channel.looked).toEqual([]);
    });

    it('a row in doubt for longer is looked up, and sent anew when it is not there', async () => {
      await brief();
      const [accepted, absent, unclear] = [doubtedFor(LIFETIME), doubtedFor(LIFETIME - 8_000), doubtedFor(null)];
      world.channel.lookups.set(accepted.id, { kind: 'accepted', receipt: 'earlier' });
      world.emit(accepted, absent, unclear);
      await world.advance(1_000);
      expect(accepted).toMatchObject({ state: 'delivered', receipt: 'earlier' });
      expect(world.states([absent, unclear])).toEqual(['delivered']);
      expect(world.begun(accepted)).toEqual([]);
      expect(world.channel.journal.map(({ id, inDoubt }) => [id, inDoubt])).toEqual([
        [absent.id, true],
        [unclear.id, true],
      ]);
      expect(world.channel.looked.map(({ id, notBefore }) => [id, notBefore])).toEqual([
        [accepted.id, accepted.doubtSince],
        [absent.id, absent.doubtSince],
        // No request began before it was due.
        [unclear.id, unclear.dueAt],
      ]);
    });

    it('a row in doubt for longer ends uncertain where the provider cannot be asked', async () => {
      await brief();
      Object.assign(world.channel, { lookup: undefined });
      const [old, young] = [doubtedFor(LIFETIME), doubtedFor(LIFETIME - 10_000)];
      world.emit(old, young);
      await world.advance(1_000);
      expect(old).toMatchObject({ state: 'uncertain', lastError: 'an earlier attempt may have been accepted' });
      expect(young).toMatchObject({ state: 'delivered' });
      expect(world.begun(old)).toEqual([]);
    });

    it('a key that ends while a connection is made is not sent', async () => {
      await brief();
      const [asked, left] = [doubtedFor(LIFETIME - 10_000), doubtedFor(LIFETIME - 10_000)];
      world.channel.lookups.set(asked.id, { kind: 'accepted', receipt: 'earlier' });
      world.channel.script(asked.id, { outcome: unknown, connecting: 5_000 });
      world.emit(asked);
      await world.advance(6_000);
      expect(asked).toMatchObject({ state: 'delivered', receipt: 'earlier' });
      Object.assign(world.channel, { lookup: undefined });
      left.doubtSince = world.database.now() - LIFETIME + 10_000;
      world.channel.script(left.id, { outcome: unknown, connecting: 5_000 });
      world.emit(left);
      await world.advance(6_000);
      expect(left).toMatchObject({ state: 'uncertain' });
      expect(world.channel.journal).toEqual([]);
    });

    it('a decided message is asked for first, because an earlier request may be under way', async () => {
      await brief();
      const row = Object.assign(doubtedFor(5_000), { decided: true });
      await run(row, 500);
      expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, decided: false });
      expect(world.channel.looked).toHaveLength(1);
      await run(row, 10_000);
      expect(row).toMatchObject({ state: 'delivered' });
      expect(world.channel.journal.map(({ inDoubt }) => inDoubt)).toEqual([true]);
    });
  });

  it('a lookup that cannot tell keeps the doubt, and so does one that finds nothing when the next request is refused', async () => {
    await start({ class: 'lookup' });
    const row = world.row(100);
    row.inDoubt = true;
    world.channel.lookups.set(row.id, { kind: 'unknown', reason: 'provider is down' });
    world.emit(row);
    await world.advance(500);
    expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, lastError: 'looked up: provider is down' });
    expect(world.channel.journal).toEqual([]);
    world.channel.lookups.set(row.id, { kind: 'absent' });
    world.channel.script(row.id, { outcome: { kind: 'rejected', reason: 'no', status: 400 } });
    await run(row, 3_000);
    // The first post may be listed late, and be why the second one was refused.
    expect(row).toMatchObject({ state: 'uncertain', inDoubt: true, lastError: 'no' });
  });

  it.each([
    { kind: 'retry', reason: 'too many', status: 429 },
    { kind: 'unusable', reason: 'too many' },
    { kind: 'postponed', reason: 'too many' },
    { kind: 'unknown', reason: 'too many' },
  ] as const)(
    'what a lookup did not find is asked for again when the request that follows is not taken: $kind',
    async (outcome) => {
      await start({ class: 'lookup' });
      const row = Object.assign(world.row(100), { inDoubt: true });
      world.channel.lookups.set(row.id, { kind: 'absent' });
      world.channel.script(row.id, { outcome });
      world.emit(row);
      await world.advance(500);
      expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, lastError: 'too many' });
      world.channel.lookups.set(row.id, { kind: 'accepted', receipt: 'listed late' });
      await run(row, 10_000);
      expect(row).toMatchObject({ state: 'delivered', receipt: 'listed late' });
      expect(world.begun(row)).toHaveLength(1);
    },
  );

  it.each(['unusable', 'postponed'] as const)(
    'a lookup that is %s waits for as long as a plan may take, also of a row whose first attempt never ended, and ends uncertain',
    async (kind) => {
      await start({ class: 'lookup', giveUpAfterMs: 600_000 });
      const row = Object.assign(world.row(100), { inDoubt: true });
      world.channel.lookups.set(row.id, { kind, reason: 'no token' });
      await run(row, 590_000);
      expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, lastError: 'no token' });
      await run(row, 120_000);
      expect(row).toMatchObject({ state: 'uncertain', inDoubt: true });
      expect(row.lastError).toMatch(/^gave up after \d+ attempts: no token$/);
      expect(world.begun(row)).toEqual([]);
    },
  );

  it('a lookup that the provider wants later is made later', async () => {
    await start({ class: 'lookup' });
    const row = Object.assign(world.row(100), { inDoubt: true });
    world.channel.lookups.set(row.id, { kind: 'unknown', reason: 'HTTP 429', afterMs: 90_000 });
    await run(row, 89_000);
    expect(world.channel.looked).toHaveLength(1);
    await run(row, 5_000);
    expect(world.channel.looked).toHaveLength(2);
  });

  it.each([
    { kind: 'unknown', reason: 'no answer' },
    { kind: 'retry', reason: 'connection refused', unreachable: true },
  ] as const)('a lookup that ends %j does not say that its origin is back', async (answer) => {
    await start({ class: 'lookup' });
    const outcome = { kind: 'retry', reason: 'connection refused', unreachable: true } as const;
    for (const row of world.rows(3, 100)) {
      world.channel.script(row.id, { outcome, isUnwritten: true });
      world.emit(row);
    }
    await world.advance(1_000);
    const doubtful = Object.assign(world.row(0), { inDoubt: true });
    world.channel.lookups.set(doubtful.id, answer);
    world.emit(doubtful);
    for (let n = 0; n < 80 && world.channel.looked.length === 0; n++) {
      await world.advance(500);
      if (doubtful.state === 'scheduled') world.emit(doubtful);
    }
    expect(world.channel.looked).not.toEqual([]);
    world.emit(...world.rows(8, 0));
    await world.advance(50);
    // One at most tries whether it is.
    expect(world.channel.journal.length).toBeLessThan(2);
  });

  it('after a lookup that found nothing the channel is told of the doubt, and what is taken then ends it', async () => {
    await start({ class: 'lookup' });
    const row = Object.assign(world.row(100), { inDoubt: true });
    world.emit(row);
    await world.advance(1_000);
    expect(world.channel.journal.map(({ inDoubt }) => inDoubt)).toEqual([true]);
    expect(row).toMatchObject({ state: 'delivered', receipt: `receipt-${row.id}` });
  });

  it('on a blind channel an unknown outcome ends uncertain, and a row in doubt is never sent', async () => {
    await start({ class: 'blind' });
    const [row, doubtful] = [world.row(100), world.row(100)];
    doubtful.inDoubt = true;
    world.channel.script(row.id, { outcome: unknown });
    world.emit(row, doubtful);
    await world.advance(1_000);
    expect(row).toMatchObject({ state: 'uncertain', inDoubt: true });
    expect(doubtful).toMatchObject({
      state: 'uncertain',
      inDoubt: true,
      lastError: 'an earlier attempt may have been accepted',
    });
    expect(world.begun(doubtful)).toEqual([]);
    expect(world.database.ledger.find(({ id }) => id === doubtful.id)).toMatchObject({ startedAt: null });
  });

  it("on a blind channel a person's decision lets one request happen, and what goes wrong is uncertain again", async () => {
    await start({ class: 'blind' });
    const [row, refused] = [world.row(100), world.row(100)];
    for (const one of [row, refused]) Object.assign(one, { inDoubt: true, decided: true });
    world.channel.script(refused.id, { outcome: { kind: 'retry', reason: 'HTTP 503', status: 503 } });
    world.emit(row, refused);
    await world.advance(1_000);
    expect(row).toMatchObject({ state: 'delivered' });
    expect(refused).toMatchObject({ state: 'uncertain', inDoubt: true, decided: false, lastError: 'HTTP 503' });
    expect(world.begun(row)).toHaveLength(1);
    expect(world.begun(refused)).toHaveLength(1);
  });

  it('on a lookup channel a decided message is asked for, and again when no request can be accepted any more', async () => {
    await start({ class: 'lookup' });
    world.channel.acceptedWithin = 8_000;
    const [accepted, absent] = [world.row(100), world.row(100)];
    for (const one of [accepted, absent]) Object.assign(one, { inDoubt: true, decided: true });
    world.channel.lookups.set(accepted.id, { kind: 'accepted', receipt: 'earlier' });
    world.emit(accepted, absent);
    await world.advance(1_000);
    expect(accepted).toMatchObject({ state: 'delivered', receipt: 'earlier' });
    expect(absent).toMatchObject({ state: 'scheduled', inDoubt: true, decided: false });
    await run(absent, 10_000);
    expect(absent).toMatchObject({ state: 'delivered' });
    const looked = world.channel.looked.filter(({ id }) => id === absent.id).map(({ at }) => at);
    expect(looked).toHaveLength(2);
    expect((looked[1] ?? 0) - (looked[0] ?? 0)).toBeGreaterThanOrEqual(8_000);
    expect(world.begun(absent)).toHaveLength(1);
    expect(world.begun(accepted)).toHaveLength(0);
  });

  it('a row that a dozen workers ended with, one after the other, ends uncertain without a request', async () => {
    await start();
    const [lost, unsent] = [world.row(100), world.row(100)];
    Object.assign(lost, { attempts: 20, recoveries: 12, inDoubt: true });
    Object.assign(unsent, { attempts: 20, recoveries: 11, inDoubt: true });
    world.emit(lost, unsent);
    await world.advance(500);
    expect(lost).toMatchObject({ state: 'uncertain', inDoubt: true, attempts: 21 });
    expect(lost.lastError).toBe(
      'gave up after 21 attempts: 12 workers ended with it, and no attempt has had an outcome since',
    );
    expect(world.state(unsent)).toBe('delivered');
    expect(world.channel.journal).toHaveLength(1);
  });

  it('of messages that were claimed together, only that which ends its workers counts on', async () => {
    await start();
    const rows = [...world.rows(4, 100), ...world.rows(4, 100, { account: 'other', host: 'two' })];
    const [deadly] = rows.splice(2, 1) as [MemoryRow];
    for (const row of [deadly, ...rows]) Object.assign(row, { attempts: 2, recoveries: 5, inDoubt: true });
    // Nothing comes back of it, as when the worker ends.
    world.channel.script(deadly.id, { outcome: 'hangs' });
    world.emit(deadly, ...rows);
    await world.advance(5_000);
    expect(deadly.state).toBe('sending');
    // Those before it have their outcome, those after it are not claimed.
    expect(rows.map((row) => row.state)).toEqual([
      ...Array.from({ length: 2 }, () => 'delivered'),
      ...Array.from({ length: 5 }, () => 'scheduled'),
    ]);
    const fresh = world.row(100);
    world.emit(fresh);
    await world.advance(500);
    expect(world.state(fresh)).toBe('delivered');
  });

  it.each([
    [2, 64],
    [3, 16],
    [4, 4],
    [5, 1],
    [11, 1],
  ])('of messages that %i workers ended with, %i are sent at a time', async (recoveries, most) => {
    await start({ settings: { concurrency: 256, perAccount: 256, perOrigin: 256, claimBatch: 500 } });
    const rows = Array.from({ length: 100 }, (_, n) => world.row(100, { account: `a${n}`, host: `quick${n}` }));
    for (const row of rows) Object.assign(row, { attempts: recoveries, recoveries, inDoubt: true });
    world.emit(...rows);
    await world.advance(29_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(world.channel.peak.get('all')).toBe(most);
  });

  it('thousands of messages that two workers ended with are sent within half a minute, and hold nobody else', async () => {
    await start({ settings: { concurrency: 256, perAccount: 32, perOrigin: 256, claimBatch: 500, maxHeld: 10_000 } });
    world.channel.latency = 100;
    const rows = Array.from({ length: 5_000 }, (_, n) =>
      world.row(100, { account: `a${n % 100}`, host: `h${n % 100}` }),
    );
    for (const row of rows) Object.assign(row, { attempts: 2, recoveries: 2, inDoubt: true });
    world.emit(...rows);
    const others: MemoryRow[] = [];
    for (let second = 0; second < 28; second++) {
      const row = world.row(500, { account: 'other' });
      others.push(row);
      world.emit(row);
      await world.advance(1_000);
    }
    expect(world.states(rows)).toEqual(['delivered']);
    expect(Math.max(...others.map((row) => (world.begun(row)[0] ?? Number.NaN) - row.dueAt))).toBeLessThan(150);
  });

  it('a message that waits for others which may end their worker is dropped after half a minute, and comes again', async () => {
    await start();
    const rows = world.rows(2, 100);
    for (const row of rows) Object.assign(row, { attempts: 5, recoveries: 5, inDoubt: true });
    const [first, second] = rows as [MemoryRow, MemoryRow];
    world.channel.script(first.id, { outcome: 'hangs' });
    const [, offset] = world.emit(first, second);
    await world.advance(29_000);
    expect(world.acked).not.toContain(offset);
    await world.advance(3_000);
    expect(world.acked).toContain(offset);
    expect(second.state).toBe('scheduled');
  });

  it('what makes no request forgets none of the workers that a row ended with', async () => {
    await start();
    const row = world.row(100);
    Object.assign(row, { attempts: 11, recoveries: 11, inDoubt: true });
    const unreachable = { kind: 'retry', reason: 'connection refused', unreachable: true } as const;
    world.channel.script(
      row.id,
      { outcome: unreachable, isUnwritten: true },
      { outcome: postponed, isUnwritten: true },
    );
    for (let n = 0; n < 2; n++) {
      world.emit(row);
      await world.advance(61_000);
    }
    expect(row).toMatchObject({ state: 'scheduled', attempts: 13, recoveries: 11 });
    row.recoveries++;
    world.emit(row);
    await world.advance(500);
    expect(row).toMatchObject({ state: 'uncertain', attempts: 14 });
    expect(world.begun(row)).toEqual([]);
  });

  it('a row that two workers ended with is given up at its age too, because no outcome may ever come', async () => {
    await start({ giveUpAfterMs: 60_000 });
    const [lost, young, once, answered] = world.rows(4, 100) as [MemoryRow, MemoryRow, MemoryRow, MemoryRow];
    const firstAttemptAt = world.database.now() - 60_000;
    Object.assign(lost, { attempts: 5, recoveries: 2, inDoubt: true, firstAttemptAt });
    Object.assign(young, { attempts: 5, recoveries: 2, inDoubt: true, firstAttemptAt: firstAttemptAt + 5_000 });
    Object.assign(once, { attempts: 5, recoveries: 1, inDoubt: true, firstAttemptAt });
    Object.assign(answered, { attempts: 5, inDoubt: true, firstAttemptAt });
    world.emit(lost, young, once, answered);
    await world.advance(500);
    expect(lost).toMatchObject({ state: 'uncertain', inDoubt: true });
    expect(world.begun(lost)).toEqual([]);
    expect(world.states([young, once, answered])).toEqual(['delivered']);
  });

  it.each<[string, Outcome]>([
    ['is postponed', postponed],
    ['waits for a refusal of its account to be confirmed', { kind: 'unusable', reason: 'HTTP 401', afterMs: 10_000 }],
  ])('a row that one worker ended with, and that %s since, is not given up for its age', async (_, outcome) => {
    await start({ giveUpAfterMs: 60_000 });
    const row = world.row(100);
    world.channel.script(row.id, ...Array.from({ length: 100 }, () => ({ outcome, isUnwritten: true })));
    const now = world.database.now();
    Object.assign(row, { attempts: 2, recoveries: 1, inDoubt: true, doubtSince: now, firstAttemptAt: now });
    await run(row, 300_000);
    expect(row.state).toBe('scheduled');
  });

  it.each([
    ['idempotent', 1],
    ['lookup', 0],
  ] as const)(
    'a row of a channel that is %s is never given up for outcomes that were written, however often it was claimed',
    async (channelClass, recoveries) => {
      await start({ class: channelClass, giveUpAfterMs: 86_400_000 });
      const row = world.row(100);
      Object.assign(row, { attempts: 1, recoveries: 1, inDoubt: true });
      world.channel.script(row.id, ...Array.from({ length: 30 }, () => ({ outcome: postponed, isUnwritten: true })));
      world.channel.lookups.set(row.id, { kind: 'unknown', reason: 'HTTP 503' });
      for (let n = 0; n < 25; n++) {
        world.emit(row);
        await world.advance(61_000);
      }
      expect(row.attempts).toBeGreaterThan(20);
      expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, recoveries });
    },
  );

  it("a plan's age is one by the database's clock: while that is unknown nothing is given up", async () => {
    await start({ giveUpAfterMs: 60_000 });
    const row = world.row(100);
    world.channel.script(row.id, { outcome: { kind: 'retry', reason: 'HTTP 429', status: 429 }, after: 1_000 });
    row.firstAttemptAt = world.database.now() - 120_000;
    world.emit(row);
    await world.advance(500);
    world.knowsTheTime = false;
    await world.advance(1_000);
    expect(row).toMatchObject({ state: 'scheduled', lastError: 'HTTP 429' });
  });

  it('retries with back-off, honours what the provider asks for, and gives up after its time', async () => {
    await start({ giveUpAfterMs: 7_000 });
    const row = world.row(100);
    const due = row.dueAt;
    world.channel.script(
      row.id,
      { outcome: { kind: 'retry', reason: 'HTTP 503', status: 503 } },
      { outcome: { kind: 'retry', reason: 'HTTP 429', status: 429, afterMs: 6_500 } },
      ...Array.from({ length: 9 }, () => ({ outcome: { kind: 'retry', reason: 'HTTP 425', status: 425 } }) as const),
    );
    await run(row, 60_000);
    const [first = 0, second = 0, third = 0, ...more] = world.begun(row);
    expect(first).toBe(due);
    expect(second - first).toBeGreaterThanOrEqual(750);
    expect(third - second).toBeGreaterThanOrEqual(6_500);
    // What the provider asked for uses nothing up: 7 s of the plan's own waiting end it, and the third is at some 7.5 s.
    expect(more.length).toBeGreaterThan(0);
    expect((more.at(-1) ?? 0) - due - 6_500).toBeGreaterThanOrEqual(7_000);
    const attempts = 3 + more.length;
    expect(row).toMatchObject({ state: 'failed', attempts, lastError: `gave up after ${attempts} attempts: HTTP 425` });
  });

  it('the time to give up begins with the first attempt, and begins again with an edit', async () => {
    await start({ giveUpAfterMs: 5_000 });
    const row = world.row(100);
    world.channel.byHost = () => ({ outcome: { kind: 'retry', reason: 'HTTP 429', status: 429 } });
    world.channel.script(row.id, ...Array.from({ length: 3 }, () => ({ outcome: postponed, isUnwritten: true })));
    await run(row, 9_000);
    expect(row).toMatchObject({ state: 'scheduled', lastError: 'HTTP 429' });
    expect(row.firstAttemptAt).toBe(world.begun(row)[0]);
    world.database.edit(row.id, { payload: { url: 'http://one/', body: 2 } });
    expect(row).toMatchObject({ firstAttemptAt: null, attempts: 0 });
  });

  it('a postponed row goes back as it was, later each time, and its origin is not judged by it', async () => {
    await start();
    const [row, decided] = [world.row(100), world.row(100)];
    Object.assign(decided, { inDoubt: true, decided: true });
    for (const one of [row, decided]) {
      world.channel.script(one.id, ...Array.from({ length: 6 }, () => ({ outcome: postponed, isUnwritten: true })));
    }
    await run(row, 500);
    world.emit(decided);
    await world.advance(500);
    expect(row).toMatchObject({ state: 'scheduled', inDoubt: false, attempts: 1, version: 2 });
    expect(decided).toMatchObject({ state: 'scheduled', inDoubt: true, decided: true });
    await run(row, 60_000);
    expect(row).toMatchObject({ state: 'delivered', inDoubt: false, attempts: 7 });
    expect(world.bolt.gauges()['slow_lanes']).toBe(0);
    const waited = world.database.ledger.filter(({ id }) => id === row.id).map(({ wakeAt }) => wakeAt);
    const gaps = waited.slice(1).map((wakeAt, n) => wakeAt - (waited[n] as number));
    expect(gaps).toEqual(gaps.toSorted((one, other) => one - other));
  });

  it('a channel that throws leaves doubt when the request had begun', async () => {
    await start();
    const row = world.row(100);
    world.channel.script(row.id, { outcome: new Error('a bug') });
    world.emit(row);
    await world.advance(500);
    expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, lastError: 'a bug' });
    expect(world.errors).toEqual([`send message ${row.id}: Error: a bug`]);
  });

  it('an attempt that did not start adds no doubt', async () => {
    await start();
    const row = world.row(100);
    world.channel.script(row.id, { outcome: 'not_started' });
    await run(row, 500);
    expect(row).toMatchObject({ state: 'scheduled', inDoubt: false, version: 2 });
    await run(row, 2_000);
    expect(row).toMatchObject({ state: 'delivered', inDoubt: false });
  });
});
