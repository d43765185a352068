import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { AttemptResult, SendRow } from '../../../bolts/send-rows';
import type { ShardCursor } from '../../../spouts/open-rows';
import type { Outcome, Settlement } from '../../../topology/message';
import type { PortsWorld } from './ports-world';

const LEASE = 10_000;

/** The ports' promises. Everything that stands behind them must pass. */
export function portsBattery(open: () => Promise<PortsWorld>): void {
  let world: PortsWorld;
  let now: number;
  const [first, second] = [newSession(), newSession()];

  beforeAll(async () => {
    world = await open();
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    now = await world.now();
  });

  const insertOne = async (dueAt = now - 1, more: { account?: string; payload?: unknown } = {}) => {
    const [id] = await world.insert([{ dueAt, ...more }]);
    return id as number;
  };
  const read = async (id: number) => (await world.sendRows.read([id]))[0] as SendRow;
  const claimed = async (session = first) => {
    const id = await insertOne();
    expect(await world.sendRows.claim(session, [await read(id)], 0)).toBe(1);
    return read(id);
  };
  const recovered = async (row: SendRow) => {
    const { id, version, session } = row;
    expect(await world.openRows.recover([{ id, version, session: session as string }], 0)).toBe(1);
    return read(id);
  };

  describe('read', () => {
    test('gives rows as they are; those that do not exist are missing', async () => {
      const account = '🦆'.repeat(64);
      const payload = { url: 'http://127.0.0.1/ä', body: { text: 'Grüße 🦆 \\ \' " \u0000' } };
      const id = await insertOne(now + 5_000, { account, payload });
      const rows = await world.sendRows.read([id, 999_999_999]);
      expect(rows).toEqual([
        {
          id,
          account,
          channel: 'webhook',
          payload: expect.any(String),
          wakeAt: now + 5_000,
          version: 1,
          state: 'scheduled',
          attempts: 0,
          inDoubt: false,
          updatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/),
          session: null,
        },
      ]);
      expect(JSON.parse(rows[0]?.payload as string)).toEqual(payload);
      expect(await world.sendRows.read([])).toEqual([]);
    });
  });

  describe('claim', () => {
    test('makes the session the owner, and counts the attempt', async () => {
      const row = await claimed();
      expect(row).toMatchObject({ state: 'sending', session: first, attempts: 1, version: 1 });
    });

    test('A row is claimed by one session at most in each version', async () => {
      const row = await read(await insertOne());
      expect(await world.sendRows.claim(first, [row], 0)).toBe(1);
      expect(await world.sendRows.claim(second, [row], 0)).toBe(0);
      expect((await read(row.id)).session).toBe(first);
    });

    test('leaves a row that changed since it was read, with or without a new version', async () => {
      const [edited, overwritten, canceled] = [await insertOne(), await insertOne(), await insertOne()];
      const rows = await world.sendRows.read([edited, overwritten, canceled]);
      await world.edit(edited, { payload: { url: 'http://127.0.0.1/2', body: 2 } });
      await world.overwrite(overwritten, { url: 'http://127.0.0.1/3', body: 3 });
      await world.cancel(canceled);
      expect(await world.sendRows.claim(first, rows, 0)).toBe(0);
    });

    test('wins a row no earlier than its wake, or `ahead` of it', async () => {
      const row = await read(await insertOne(now + 60_000));
      expect(await world.sendRows.claim(first, [row], 30_000)).toBe(0);
      expect(await world.sendRows.claim(first, [row], 60_000)).toBe(1);
    });

    test('A row that another transaction holds is left out; the others are claimed', async () => {
      const ids = await world.insert([1, 2, 3].map(() => ({ dueAt: now - 1 })));
      const rows = await world.sendRows.read(ids);
      const won = await world.whileLocked(ids[1] as number, () => world.sendRows.claim(first, rows, 0));
      expect(won).toBe(2);
      expect((await world.sendRows.read(ids)).map(({ state }) => state).toSorted()).toEqual([
        'scheduled',
        'sending',
        'sending',
      ]);
      expect(await world.sendRows.claim(first, rows, 0)).toBe(1);
    });

    test('two sessions with the same ids in any order win each of them once', async () => {
      const ids = await world.insert(
        Array.from({ length: 1_000 }, (_, n) => ({ dueAt: now - 1, account: `a${n % 7}` })),
      );
      const rows = await world.sendRows.read(ids);
      const batches = [];
      for (let from = 0; from < rows.length; from += 100) batches.push(rows.slice(from, from + 150));
      const won = await Promise.all([
        ...batches.map((batch) => world.sendRows.claim(first, batch, 0)),
        ...batches.toReversed().map((batch) => world.sendRows.claim(second, batch.toReversed(), 0)),
      ]);
      expect(won.reduce((sum, one) => sum + one)).toBe(1_000);
      const after = await world.sendRows.read(ids);
      expect(new Set(after.map(({ state, attempts }) => `${state} ${attempts}`))).toEqual(new Set(['sending 1']));
    });
  });

  describe('write-back', () => {
    test('settles the rows and writes the ledger', async () => {
      const [a, b, c, d] = [await claimed(), await claimed(), await claimed(), await claimed()];
      const bad = await world.sendRows.writeBack(first, [
        result(a, { kind: 'delivered', receipt: 'r-1', status: 200 }, delivered('r-1')),
        result(b, { kind: 'rejected', reason: 'no', status: 400 }, { state: 'failed', inDoubt: false, error: 'no' }),
        result(c, { kind: 'unknown', reason: '?' }, { state: 'uncertain', inDoubt: true, error: '?' }),
        result(d, { kind: 'retry', reason: 'busy' }, retry(60_000)),
      ]);
      expect(bad).toEqual([]);
      expect(await world.row(a.id)).toMatchObject({
        state: 'delivered',
        receipt: 'r-1',
        deliveredAt: 5,
        session: null,
      });
      expect(await world.row(b.id)).toMatchObject({ state: 'failed', lastError: 'no', inDoubt: false, version: 1 });
      expect(await world.row(c.id)).toMatchObject({ state: 'uncertain', lastError: '?', inDoubt: true });
      const retried = await world.row(d.id);
      expect(retried).toMatchObject({ state: 'scheduled', version: 2, attempts: 1, session: null, lastError: 'busy' });
      expect(retried.wakeAt).toBeGreaterThanOrEqual(now + 60_000);
      expect(retried.wakeAt).toBeLessThanOrEqual((await world.now()) + 60_000);
      expect(await world.ledger(b.id)).toEqual([{ version: 1, session: first, outcome: 'rejected', error: 'no' }]);
    });

    test('The ledger is written once per (message, version, session): repeating is harmless', async () => {
      const row = await claimed();
      const results = [result(row, { kind: 'retry', reason: 'busy' }, retry(0))];
      await world.sendRows.writeBack(first, results);
      await world.sendRows.writeBack(first, results);
      expect(await world.row(row.id)).toMatchObject({ version: 2 });
      expect(await world.ledger(row.id)).toHaveLength(1);
    });

    test('A row is settled only while this session owns it in that version', async () => {
      const row = await claimed();
      const again = await recovered(row);
      expect(await world.sendRows.claim(second, [again], 0)).toBe(1);
      const failed = { state: 'failed', inDoubt: false, error: 'late' } as const;
      await world.sendRows.writeBack(first, [
        result(row, { kind: 'rejected', reason: 'late' }, failed),
        result({ ...again, version: 2 }, { kind: 'rejected', reason: 'late' }, failed),
      ]);
      await world.sendRows.writeBack(second, [result(row, { kind: 'rejected', reason: 'late' }, failed)]);
      expect(await world.row(row.id)).toMatchObject({ state: 'sending', session: second, version: 2 });
      expect(await world.ledger(row.id)).toHaveLength(3);
    });

    test('A delivered attempt whose claim was lost settles the row if it is in doubt, whatever it waits for', async () => {
      const [waiting, sending, uncertain] = [await claimed(), await claimed(), await claimed()];
      await recovered(waiting);
      const newer = await recovered(sending);
      await world.sendRows.claim(second, [newer], 0);
      await recovered(uncertain);
      await world.cancel(uncertain.id);
      const lost = [waiting, sending, uncertain].map((row) => result(row, { kind: 'delivered' }, delivered('late')));
      await world.sendRows.writeBack(first, lost);
      for (const { id } of [waiting, sending, uncertain]) {
        expect(await world.row(id)).toMatchObject({ state: 'delivered', receipt: 'late', session: null });
      }
      const failed = { state: 'failed', inDoubt: true, error: 'no' } as const;
      await world.sendRows.writeBack(second, [
        result({ ...newer, session: second }, { kind: 'rejected', reason: 'no' }, failed),
        result({ ...newer, session: second }, { kind: 'delivered' }, delivered('second')),
      ]);
      expect(await world.row(sending.id)).toMatchObject({ state: 'delivered', receipt: 'late' });
    });

    test('A row that cannot be written is found; the others are written', async () => {
      const rows = [await claimed(), await claimed(), await claimed(), await claimed(), await claimed()];
      const results = rows.map((row) => result(row, { kind: 'delivered' }, delivered(null)));
      const [, broken, , impossible] = results as [AttemptResult, AttemptResult, AttemptResult, AttemptResult];
      results[1] = { ...broken, contentHash: 'not a hash' };
      results[3] = { ...impossible, version: 2 ** 40 };
      const bad = await world.sendRows.writeBack(first, results);
      expect(new Map(bad.map(({ id, again }) => [id, again]))).toEqual(
        new Map([
          [broken.id, false],
          [impossible.id, false],
        ]),
      );
      const states = await Promise.all(rows.map(async ({ id }) => (await world.row(id)).state));
      expect(states).toEqual(['delivered', 'sending', 'delivered', 'sending', 'delivered']);
    });

    test('A row that another transaction holds is handed back; the others are written', async () => {
      const [held, free] = [await claimed(), await claimed()];
      const results = [held, free].map((row) => result(row, { kind: 'delivered' }, delivered(null)));
      const bad = await world.whileLocked(held.id, () => world.sendRows.writeBack(first, results));
      expect(bad).toEqual([{ id: held.id, reason: expect.any(String), again: true }]);
      expect(await world.row(free.id)).toMatchObject({ state: 'delivered' });
      expect(await world.sendRows.writeBack(first, results)).toEqual([]);
      expect(await world.row(held.id)).toMatchObject({ state: 'delivered' });
    });

    test('texts are cut by characters', async () => {
      const [a, b] = [await claimed(), await claimed()];
      const receipt = `x${'🦆'.repeat(600)}`;
      const error = `x${'🦆'.repeat(1_100)}`;
      await world.sendRows.writeBack(first, [
        result(a, { kind: 'delivered', receipt }, delivered(receipt)),
        result(b, { kind: 'rejected', reason: error }, { state: 'failed', inDoubt: false, error }),
      ]);
      expect((await world.row(a.id)).receipt).toBe(`x${'🦆'.repeat(511)}`);
      expect((await world.row(b.id)).lastError).toBe(`x${'🦆'.repeat(1_023)}`);
    });
  });

  describe('page', () => {
    test('gives the open rows of each shard in (wake, id) order, after the cursor and below the bound', async () => {
      const [account, other] = [`p-${newSession()}`, `q-${newSession()}`];
      const far = now + 1_000_000;
      const ids = await world.insert([
        { account, dueAt: far + 2 },
        { account, dueAt: far + 1 },
        { account, dueAt: far + 1 },
        { account: other, dueAt: far },
        { account, dueAt: far + 3 },
        { account, dueAt: far },
      ]);
      await world.cancel(ids[5] as number);
      const start = { afterWake: far - 1, afterId: 0 };
      const cursors: ShardCursor[] = [{ shard: shardOf(account), ...start }];
      if (shardOf(other) !== shardOf(account)) cursors.push({ shard: shardOf(other), ...start });
      const page = async (from: ShardCursor[], limit: number) =>
        (await world.openRows.page('webhook', from, far + 3, limit)).filter((row) => row.account === account);
      const all = await page(cursors, 100);
      expect(all.map(({ id }) => id)).toEqual([ids[1], ids[2], ids[0]]);
      expect(all[0]).toEqual({
        id: ids[1],
        shard: shardOf(account),
        account,
        channel: 'webhook',
        wakeAt: far + 1,
        version: 1,
        state: 'scheduled',
        session: null,
      });
      const after = [{ shard: shardOf(account), afterWake: far + 1, afterId: ids[1] as number }];
      expect((await page(after, 1)).map(({ id }) => id)).toEqual([ids[2]]);
      expect(await world.openRows.page('other', cursors, far + 3, 100)).toEqual([]);
      expect(await world.openRows.page('webhook', [], far + 3, 100)).toEqual([]);
    });

    test('takes no bound for a bound, and shows who is sending', async () => {
      const row = await claimed();
      const cursor = { shard: shardOf(row.account), afterWake: Number.NEGATIVE_INFINITY, afterId: 0 };
      const rows = await world.openRows.page('webhook', [cursor], Number.POSITIVE_INFINITY, 10_000);
      expect(rows.find(({ id }) => id === row.id)).toMatchObject({ state: 'sending', session: first });
    });
  });

  describe('death', () => {
    test('a session is dead when it is unknown, or when its lease has run out and somebody buries it, for ever', async () => {
      const [alive, expired, unknown] = [newSession(), newSession(), newSession()];
      await world.registry.register(worker(alive), LEASE);
      await world.registry.register(worker(expired), -1);
      const all = [alive, expired, unknown];
      expect(await world.openRows.deadOf(all, false)).toEqual([unknown]);
      expect(await world.openRows.deadOf(all, true)).toEqual([expired, unknown]);
      expect(await world.registry.renew(expired, LEASE, report)).toBe(false);
      expect(await world.registry.renew(unknown, LEASE, report)).toBe(false);
      expect(await world.registry.renew(alive, LEASE, report)).toBe(true);
      await world.registry.register(worker(expired), LEASE);
      expect(await world.openRows.deadOf(all, false)).toEqual([expired, unknown]);
      expect(await world.openRows.deadOf([], true)).toEqual([]);
    });

    test('a worker that leaves is dead', async () => {
      const leaving = newSession();
      await world.registry.register(worker(leaving), LEASE);
      await world.registry.leave(leaving);
      expect(await world.registry.renew(leaving, LEASE, report)).toBe(false);
      expect(await world.openRows.deadOf([leaving], false)).toEqual([leaving]);
    });

    test('rows of the dead go back to scheduled, in doubt, in a new version, and wake after the delay', async () => {
      const [own, foreign, stale] = [await claimed(), await claimed(second), await claimed()];
      const rows = [own, foreign, stale].map(({ id, version }) => ({ id, version, session: first }));
      const asked = rows.map((row) => (row.id === stale.id ? { ...row, version: 7 } : row));
      expect(await world.openRows.recover(asked, 5_000)).toBe(1);
      const row = await world.row(own.id);
      expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, version: 2, session: null, attempts: 1 });
      expect(row.wakeAt).toBeGreaterThanOrEqual(now + 5_000);
      expect(await world.row(foreign.id)).toMatchObject({ state: 'sending', session: second });
      expect(await world.row(stale.id)).toMatchObject({ state: 'sending', session: first });
      expect(await world.openRows.recover([], 0)).toBe(0);
    });
  });

  describe('pulse', () => {
    test("gives a reading of the database's clock, and what is paused", async () => {
      const account = `p-${newSession()}`;
      await world.pause('webhook', account);
      const { reading, pausedChannels, pausedAccounts } = await world.registry.pulse();
      expect(reading.received).toBeGreaterThanOrEqual(reading.sent);
      expect(reading.timestamp).toBeGreaterThanOrEqual(now - 1);
      expect(reading.timestamp).toBeLessThanOrEqual((await world.now()) + 1);
      expect(reading.server).not.toBe('');
      expect(pausedChannels).toEqual([]);
      expect(pausedAccounts).toEqual([{ channel: 'webhook', account }]);
      await world.pause('webhook');
      expect((await world.registry.pulse()).pausedChannels).toEqual(['webhook']);
    });
  });

  describe('edit and cancel', () => {
    test('change a message that waits, in a new version', async () => {
      const [edited, canceled] = [await insertOne(now + 1_000), await insertOne(now + 1_000)];
      expect(await world.edit(edited, { dueAt: now + 9_000, version: 1 })).toEqual({ result: 'edited', version: 2 });
      expect(await world.edit(edited, { dueAt: now, version: 1 })).toEqual({ result: 'changed', version: 2 });
      expect(await world.row(edited)).toMatchObject({ state: 'scheduled', wakeAt: now + 9_000, version: 2 });
      const payload = { url: 'http://127.0.0.1/new', body: [1, { two: null }] };
      expect(await world.edit(edited, { payload })).toMatchObject({ result: 'edited', version: 3 });
      expect(JSON.parse((await read(edited)).payload)).toEqual(payload);
      expect(await world.cancel(canceled)).toEqual({ result: 'canceled' });
      expect(await world.row(canceled)).toMatchObject({ state: 'canceled', version: 2, wakeAt: null });
      expect(await world.cancel(canceled)).toEqual({ result: 'already', state: 'canceled' });
      expect(await world.edit(canceled, { dueAt: now })).toEqual({ result: 'already', state: 'canceled' });
      expect(await world.cancel(999_999_999)).toEqual({ result: 'not_found' });
      expect(await world.edit(999_999_999, { dueAt: now })).toEqual({ result: 'not_found' });
    });

    test('answer too_late for a claimed message, and since when it is', async () => {
      const row = await claimed();
      for (const answer of [await world.cancel(row.id), await world.edit(row.id, { dueAt: now })]) {
        expect(answer).toEqual({ result: 'too_late', claimedAt: expect.any(Number), worker: first });
        expect((answer as { claimedAt: number }).claimedAt).toBeGreaterThanOrEqual(now - 1);
      }
      expect((await read(row.id)).state).toBe('sending');
    });

    test('of a row in doubt: an edit is refused, a cancel makes it uncertain', async () => {
      const { id } = await recovered(await claimed());
      expect(await world.edit(id, { dueAt: now })).toEqual({ result: 'in_doubt' });
      expect(await world.row(id)).toMatchObject({ state: 'scheduled', version: 2 });
      expect(await world.cancel(id)).toEqual({ result: 'in_doubt' });
      expect(await world.row(id)).toMatchObject({ state: 'uncertain', version: 3, inDoubt: true });
    });

    test('a new due time clears the time of a retry; attempts start again', async () => {
      const row = await claimed();
      await world.sendRows.writeBack(first, [result(row, { kind: 'retry', reason: 'busy' }, retry(60_000))]);
      await world.edit(row.id, { payload: { url: 'http://127.0.0.1/', body: 1 } });
      const edited = await world.row(row.id);
      expect(edited).toMatchObject({ attempts: 0, version: 3 });
      expect(edited.wakeAt).toBeGreaterThanOrEqual(now + 60_000);
      await world.edit(row.id, { dueAt: now + 5 });
      expect(await world.row(row.id)).toMatchObject({ wakeAt: now + 5, version: 4 });
    });
  });

  test('the past and the far future are times like others', async () => {
    const ids = await world.insert([0, -1, Date.UTC(9999, 11, 31)].map((dueAt) => ({ dueAt })));
    const rows = await world.sendRows.read(ids);
    expect(await world.sendRows.claim(first, rows, 0)).toBe(2);
  });
}

const report = { partitions: { due: [0, 1] }, gauges: { due: { pending: 3 } } };

function newSession(): string {
  return randomBytes(16).toString('hex');
}

function worker(session: string) {
  return { session, components: ['due'], host: 'here', pid: 1, version: '0', statusUrl: null };
}

function shardOf(account: string): number {
  return crc32(account) % 256;
}

function delivered(receipt: string | null): Settlement {
  return { state: 'delivered', deliveredAt: 5, receipt };
}

function retry(delay: number): Settlement {
  return { state: 'scheduled', inDoubt: false, error: 'busy', delay };
}

function result(row: SendRow, outcome: Outcome, settlement: Settlement): AttemptResult {
  const contentHash = createHash('sha256').update(row.payload).digest('hex');
  const { id, version, wakeAt } = row;
  return { id, version, wakeAt: wakeAt as number, contentHash, startedAt: 1.25, finishedAt: 5.5, outcome, settlement };
}
