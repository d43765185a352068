import type { AttemptResult, SendRow } from '../../../bolts/send-rows';
import type { Settlement } from '../../../topology/message';
import type { PortsWorld } from './ports-world';
import { delivered, result, retry, Scene } from './scene';

type Retried = Extract<Settlement, { state: 'scheduled' }>;

const deliveredOf = (row: SendRow) => result(row, { kind: 'delivered', receipt: 'r' }, delivered('r'));

/** What bolts may count on. */
export function sendRowsBattery(open: () => Promise<PortsWorld>): void {
  const scene = new Scene(open);

  describe('read', () => {
    test('gives rows as they are; those that do not exist are missing', async () => {
      const account = '🦆'.repeat(64);
      const payload = { url: 'http://127.0.0.1/ä', body: { text: 'Grüße 🦆 \\ \' " \u0000' } };
      const id = await scene.insert(scene.now + 5_000, { account, payload });
      const rows = await scene.world.sendRows.read([id, 999_999_999], Number.POSITIVE_INFINITY);
      expect(rows).toEqual([
        {
          id,
          account,
          channel: 'webhook',
          payload: expect.any(String),
          payloadBytes: expect.any(Number),
          dueAt: scene.now + 5_000,
          lateFrom: null,
          sendWithinMs: null,
          onLate: null,
          wakeAt: scene.now + 5_000,
          version: 1,
          state: 'scheduled',
          attempts: 0,
          firstAttemptAt: null,
          planNumber: 1,
          inDoubt: false,
          doubtSince: null,
          recoveries: 0,
          decided: false,
          updatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/),
          session: null,
        },
      ]);
      expect(JSON.parse(rows[0]?.payload as string)).toEqual(payload);
      expect(await scene.world.sendRows.read([], Number.POSITIVE_INFINITY)).toEqual([]);
    });
  });

  describe('journal', () => {
    test('writes the ledger and no row, and a write-back afterwards settles the row: the ledger has it once', async () => {
      const [one, other] = [await scene.claimed(), await scene.claimed()];
      const { sendRows } = scene.world;
      await sendRows.journal(scene.first, [deliveredOf(other), deliveredOf(one)]);
      await sendRows.journal(scene.first, [deliveredOf(one)]);
      await sendRows.journal(scene.first, []);
      for (const row of [one, other]) {
        expect(await scene.read(row.id)).toEqual(row);
        expect(await scene.world.ledger(row.id)).toEqual([
          { version: 1, session: scene.first, outcome: 'delivered', error: null },
        ]);
      }
      expect(await sendRows.writeBack(scene.first, [deliveredOf(one)])).toEqual([]);
      expect(await scene.world.row(one.id)).toMatchObject({ state: 'delivered', version: 1, receipt: 'r' });
      expect(await scene.world.ledger(one.id)).toHaveLength(1);
    });

    test('writes all of them or none', async () => {
      const [one, other] = [await scene.claimed(), await scene.claimed()];
      const journaled = scene.world.sendRows.journal(scene.first, [
        deliveredOf(one),
        { ...deliveredOf(other), contentHash: '?' },
      ]);
      await expect(journaled).rejects.toThrow();
      for (const { id } of [one, other]) expect(await scene.world.ledger(id)).toEqual([]);
    });

    test('a write-back settles a journaled row that is in doubt by now', async () => {
      const row = await scene.claimed();
      const again = await scene.recovered(row);
      await scene.world.sendRows.journal(scene.first, [deliveredOf(row)]);
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'scheduled', version: 2, inDoubt: true });
      expect(again.version).toBe(2);
      await scene.world.sendRows.writeBack(scene.first, [deliveredOf(row)]);
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'delivered', version: 2, receipt: 'r' });
    });
  });

  describe('read of payloads', () => {
    test('leaves out what is larger than was asked for, and says how large it is', async () => {
      const [small, large] = [
        await scene.insert(),
        await scene.insert(scene.now, { payload: { url: 'http://127.0.0.1/', body: 'x'.repeat(20_000) } }),
      ];
      const rows = await scene.world.sendRows.read([small, large], 8_192);
      const payloads = new Map(rows.map(({ id, payload }) => [id, payload]));
      expect([typeof payloads.get(small), payloads.get(large)]).toEqual(['string', null]);
      expect(rows.find(({ id }) => id === large)?.payloadBytes).toBeGreaterThan(20_000);
      expect(rows.find(({ id }) => id === small)?.payloadBytes).toBeLessThan(200);
      expect((await scene.world.sendRows.read([small], 0))[0]?.payload).toBeNull();
    });
  });

  describe('claim', () => {
    test('makes the session the owner, and counts the attempt', async () => {
      const row = await scene.claimed();
      expect(row).toMatchObject({ state: 'sending', session: scene.first, attempts: 1, version: 1 });
    });

    test('A row is claimed by one session at most in each version', async () => {
      const row = await scene.read(await scene.insert());
      expect(await scene.world.sendRows.claim(scene.first, [row], 0)).toBe(1);
      expect(await scene.world.sendRows.claim(scene.second, [row], 0)).toBe(0);
      expect((await scene.read(row.id)).session).toBe(scene.first);
    });

    test('A claim wins a row only as it was read: not when it changed, with or without a new version', async () => {
      const [edited, overwritten, canceled] = [await scene.insert(), await scene.insert(), await scene.insert()];
      const rows = await scene.world.sendRows.read([edited, overwritten, canceled], Number.POSITIVE_INFINITY);
      await scene.world.edit(edited, { payload: { url: 'http://127.0.0.1/2', body: 2 } });
      await scene.world.overwrite(overwritten, { url: 'http://127.0.0.1/3', body: 3 });
      await scene.world.cancel(canceled);
      expect(await scene.world.sendRows.claim(scene.first, rows, 0)).toBe(0);
    });

    test('There is one way into sending: a row that was read in another state is not won', async () => {
      const [sending, ended] = [await scene.claimed(), await scene.claimed()];
      await scene.world.sendRows.writeBack(scene.first, [result(ended, { kind: 'delivered' }, delivered(null))]);
      expect(await scene.world.sendRows.claim(scene.second, [sending, await scene.read(ended.id)], 0)).toBe(0);
    });

    test('wins a row no earlier than its wake, or `ahead` of it', async () => {
      const row = await scene.read(await scene.insert(scene.now + 60_000));
      expect(await scene.world.sendRows.claim(scene.first, [row], 30_000)).toBe(0);
      expect(await scene.world.sendRows.claim(scene.first, [row], 60_000)).toBe(1);
    });

    test('A row that another transaction holds is left out; the others are claimed', async () => {
      const ids = await scene.world.insert([1, 2, 3].map(() => ({ dueAt: scene.now - 1 })));
      const rows = await scene.world.sendRows.read(ids, Number.POSITIVE_INFINITY);
      const won = await scene.world.whileLocked(ids[1] as number, () =>
        scene.world.sendRows.claim(scene.first, rows, 0),
      );
      expect(won).toBe(2);
      expect(
        (await scene.world.sendRows.read(ids, Number.POSITIVE_INFINITY)).map(({ state }) => state).toSorted(),
      ).toEqual(['scheduled', 'sending', 'sending']);
      expect(await scene.world.sendRows.claim(scene.first, rows, 0)).toBe(1);
    });

    test('two sessions with the same ids in any order win each of them once', async () => {
      const ids = await scene.world.insert(
        Array.from({ length: 1_000 }, (_, n) => ({ dueAt: scene.now - 1, account: `a${n % 7}` })),
      );
      const rows = await scene.world.sendRows.read(ids, Number.POSITIVE_INFINITY);
      const batches = [];
      for (let from = 0; from < rows.length; from += 100) batches.push(rows.slice(from, from + 150));
      const won = await Promise.all([
        ...batches.map((batch) => scene.world.sendRows.claim(scene.first, batch, 0)),
        ...batches.toReversed().map((batch) => scene.world.sendRows.claim(scene.second, batch.toReversed(), 0)),
      ]);
      expect(won.reduce((sum, one) => sum + one)).toBe(1_000);
      const after = await scene.world.sendRows.read(ids, Number.POSITIVE_INFINITY);
      expect(new Set(after.map(({ state, attempts }) => `${state} ${attempts}`))).toEqual(new Set(['sending 1']));
    });
  });

  describe('write-back', () => {
    test('settles the rows and writes the ledger', async () => {
      const [a, b, c, d] = [await scene.claimed(), await scene.claimed(), await scene.claimed(), await scene.claimed()];
      const bad = await scene.world.sendRows.writeBack(scene.first, [
        result(a, { kind: 'delivered', receipt: 'r-1', status: 200 }, delivered('r-1')),
        result(b, { kind: 'rejected', reason: 'no', status: 400 }, { state: 'failed', inDoubt: false, error: 'no' }),
        result(c, { kind: 'unknown', reason: '?' }, { state: 'uncertain', inDoubt: true, error: '?' }),
        result(d, { kind: 'retry', reason: 'busy' }, retry(60_000)),
      ]);
      expect(bad).toEqual([]);
      expect(await scene.world.row(a.id)).toMatchObject({
        state: 'delivered',
        receipt: 'r-1',
        deliveredAt: 5,
        session: null,
      });
      expect(await scene.world.row(b.id)).toMatchObject({
        state: 'failed',
        lastError: 'no',
        inDoubt: false,
        version: 1,
      });
      expect(await scene.world.row(c.id)).toMatchObject({ state: 'uncertain', lastError: '?', inDoubt: true });
      const retried = await scene.world.row(d.id);
      expect(retried).toMatchObject({ state: 'scheduled', version: 2, attempts: 1, session: null, lastError: 'busy' });
      expect(retried.wakeAt).toBeGreaterThanOrEqual(scene.now + 60_000);
      expect(retried.wakeAt).toBeLessThanOrEqual((await scene.world.now()) + 60_000);
      expect(await scene.world.ledger(b.id)).toEqual([
        { version: 1, session: scene.first, outcome: 'rejected', error: 'no' },
      ]);
    });

    test('the first attempt of a plan is remembered, without a request too, and forgotten with an edit', async () => {
      let row = await scene.claimed();
      const write = async (startedAt: number | null, more: Partial<Retried> = {}) => {
        const settlement: Settlement = { state: 'scheduled', inDoubt: false, error: 'busy', delayMs: 0, ...more };
        await scene.world.sendRows.writeBack(scene.first, [
          { ...result(row, { kind: 'retry', reason: 'busy' }, settlement), startedAt },
        ]);
        row = await scene.read(row.id);
        expect(await scene.world.sendRows.claim(scene.first, [row], 1_000)).toBe(1);
        return row.firstAttemptAt;
      };
      expect(await write(null, { without: 'given_back' })).toBeNull();
      expect(await write(null, { without: 'postponed' })).toBeNull();
      // Without a request it is the database's now, whatever the worker's clock says.
      const first = await write(null, { without: 'unreachable' });
      expect(first).toBeGreaterThanOrEqual(scene.now);
      expect(first).toBeLessThanOrEqual(await scene.world.now());
      expect(await write(1_000)).toBe(first);
      // What the provider asked for does not count towards giving up.
      expect(await write(1_000, { askedMs: 86_400_000 })).toBe(Number(first) + 86_400_000);
      await scene.world.sendRows.writeBack(scene.first, [
        result(await scene.read(row.id), { kind: 'retry', reason: 'busy' }, retry(0)),
      ]);
      await scene.world.edit(row.id, { payload: { url: 'http://127.0.0.1/2', body: 2 } });
      expect(await scene.read(row.id)).toMatchObject({ firstAttemptAt: null, planNumber: 2, attempts: 0 });
      row = await scene.read(row.id);
      expect(await scene.world.sendRows.claim(scene.first, [row], 1_000)).toBe(1);
      expect(await write(1_000)).toBe(1_000);
    });

    test('since when a row is in doubt is remembered until it is not', async () => {
      let row = await scene.claimed();
      const claimedAt = await scene.world.now();
      row = await scene.recovered(row);
      // The request began after the claim, and the claim is the last that is known.
      expect(row.doubtSince).toBeGreaterThanOrEqual(scene.now - 1_000);
      expect(row.doubtSince).toBeLessThanOrEqual(claimedAt);
      const first = row.doubtSince;
      const settled: Retried = { state: 'scheduled', inDoubt: false, error: '?', delayMs: 0 };
      const write = async (more: Partial<Retried>, startedAt: number | null) => {
        expect(await scene.world.sendRows.claim(scene.second, [await scene.read(row.id)], 1_000)).toBe(1);
        const again = result(await scene.read(row.id), { kind: 'unknown', reason: '?' }, { ...settled, ...more });
        await scene.world.sendRows.writeBack(scene.second, [{ ...again, startedAt }]);
        return (await scene.read(row.id)).doubtSince;
      };
      expect(await write({ inDoubt: true }, first as number)).toBe(first);
      expect(await write({ inDoubt: true, without: 'postponed' }, null)).toBe(first);
      expect(await write({}, null)).toBeNull();
      expect(await write({ inDoubt: true }, 1_234)).toBe(1_234);
      expect(await scene.world.sendRows.claim(scene.second, [await scene.read(row.id)], 1_000)).toBe(1);
      const impossible = {
        ...result(await scene.read(row.id), { kind: 'delivered' }, delivered(null)),
        contentHash: '?',
      };
      await scene.world.sendRows.writeAlone(scene.second, impossible, { reason: 'not written', delayMs: 90_000 });
      expect((await scene.read(row.id)).doubtSince).toBe(1_234);
    });

    test('what could not reach its origin keeps its doubt, unless a lookup has cleared it', async () => {
      for (const inDoubt of [true, false]) {
        const row = await scene.recovered(await scene.claimed());
        expect(await scene.world.sendRows.claim(scene.second, [row], 0)).toBe(1);
        const settlement = { ...retry(0), inDoubt, without: 'unreachable' } as const;
        await scene.world.sendRows.writeBack(scene.second, [
          { ...result(await scene.read(row.id), { kind: 'retry', reason: 'refused' }, settlement), startedAt: null },
        ]);
        expect(await scene.read(row.id)).toMatchObject({ inDoubt, attempts: 2 });
      }
    });

    test('a row that is postponed keeps its doubt and counts the attempt', async () => {
      const row = await scene.recovered(await scene.claimed());
      expect(await scene.world.sendRows.claim(scene.second, [row], 0)).toBe(1);
      const claimed = await scene.read(row.id);
      const settlement = {
        state: 'scheduled',
        inDoubt: true,
        error: 'no key',
        delayMs: 0,
        without: 'postponed',
      } as const;
      await scene.world.sendRows.writeBack(scene.second, [
        { ...result(claimed, { kind: 'postponed', reason: 'no key' }, settlement), startedAt: null },
      ]);
      expect(await scene.read(row.id)).toMatchObject({
        state: 'scheduled',
        inDoubt: true,
        attempts: 2,
        firstAttemptAt: null,
      });
    });

    test('recoveries are counted until an outcome of a request is written', async () => {
      let row = await scene.recovered(await scene.claimed());
      expect(row).toMatchObject({ recoveries: 1 });
      expect(await scene.world.sendRows.claim(scene.second, [row], 0)).toBe(1);
      row = await scene.recovered(await scene.read(row.id));
      expect(row).toMatchObject({ recoveries: 2, attempts: 2 });
      const waits = { kind: 'retry', reason: 'no request' } as const;
      for (const without of ['given_back', 'postponed', 'unreachable', undefined] as const) {
        expect(await scene.world.sendRows.claim(scene.second, [row], 0)).toBe(1);
        const settlement = { ...retry(0), inDoubt: true, ...(without === undefined ? {} : { without }) };
        await scene.world.sendRows.writeBack(scene.second, [result(await scene.read(row.id), waits, settlement)]);
        row = await scene.read(row.id);
        expect(row).toMatchObject({ recoveries: without === undefined ? 0 : 2, inDoubt: true });
      }
      expect(row).toMatchObject({ attempts: 5 });
    });

    test('a claim that is given back does not count as an attempt', async () => {
      const row = await scene.claimed();
      const settlement = {
        state: 'scheduled',
        inDoubt: false,
        error: 'no room',
        delayMs: 0,
        without: 'given_back',
      } as const;
      await scene.world.sendRows.writeBack(scene.first, [
        result(row, { kind: 'retry', reason: 'no room' }, settlement),
      ]);
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'scheduled', version: 2, attempts: 0 });
    });

    test('The ledger is written once per (message, version, session): repeating is harmless', async () => {
      const row = await scene.claimed();
      const results = [result(row, { kind: 'retry', reason: 'busy' }, retry(0))];
      await scene.world.sendRows.writeBack(scene.first, results);
      await scene.world.sendRows.writeBack(scene.first, results);
      expect(await scene.world.row(row.id)).toMatchObject({ version: 2 });
      expect(await scene.world.ledger(row.id)).toHaveLength(1);
    });

    test('A row is settled only while this session owns it in that version', async () => {
      const row = await scene.claimed();
      const again = await scene.recovered(row);
      expect(await scene.world.sendRows.claim(scene.second, [again], 0)).toBe(1);
      const failed = { state: 'failed', inDoubt: false, error: 'late' } as const;
      await scene.world.sendRows.writeBack(scene.first, [
        result(row, { kind: 'rejected', reason: 'late' }, failed),
        result({ ...again, version: 2 }, { kind: 'rejected', reason: 'late' }, failed),
      ]);
      await scene.world.sendRows.writeBack(scene.second, [result(row, { kind: 'rejected', reason: 'late' }, failed)]);
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'sending', session: scene.second, version: 2 });
      expect(await scene.world.ledger(row.id)).toHaveLength(3);
    });

    test('A delivered attempt whose claim was lost settles the row if it is in doubt, whatever it waits for', async () => {
      const [waiting, sending, uncertain] = [await scene.claimed(), await scene.claimed(), await scene.claimed()];
      await scene.recovered(waiting);
      const newer = await scene.recovered(sending);
      await scene.world.sendRows.claim(scene.second, [newer], 0);
      await scene.recovered(uncertain);
      await scene.world.cancel(uncertain.id);
      const lost = [waiting, sending, uncertain].map((row) => result(row, { kind: 'delivered' }, delivered('late')));
      await scene.world.sendRows.writeBack(scene.first, lost);
      for (const { id } of [waiting, sending, uncertain]) {
        expect(await scene.world.row(id)).toMatchObject({ state: 'delivered', receipt: 'late', session: null });
      }
      const failed = { state: 'failed', inDoubt: true, error: 'no' } as const;
      await scene.world.sendRows.writeBack(scene.second, [
        result({ ...newer, session: scene.second }, { kind: 'rejected', reason: 'no' }, failed),
        result({ ...newer, session: scene.second }, { kind: 'delivered' }, delivered('second')),
      ]);
      expect(await scene.world.row(sending.id)).toMatchObject({ state: 'delivered', receipt: 'late' });
    });

    test('A row that is not in doubt is not settled by an attempt whose claim was lost', async () => {
      const row = await scene.claimed();
      const failed = { state: 'failed', inDoubt: false, error: 'no' } as const;
      await scene.world.sendRows.writeBack(scene.first, [result(row, { kind: 'rejected', reason: 'no' }, failed)]);
      await scene.world.sendRows.writeBack(scene.first, [result(row, { kind: 'delivered' }, delivered('late'))]);
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'failed', receipt: null });
    });

    test('A row that cannot be written is found; the others are written', async () => {
      const rows = [
        await scene.claimed(),
        await scene.claimed(),
        await scene.claimed(),
        await scene.claimed(),
        await scene.claimed(),
      ];
      const results = rows.map((row) => result(row, { kind: 'delivered' }, delivered(null)));
      const [, broken, , impossible] = results as [AttemptResult, AttemptResult, AttemptResult, AttemptResult];
      results[1] = { ...broken, contentHash: 'not a hash' };
      results[3] = { ...impossible, version: 2 ** 40 };
      const bad = await scene.world.sendRows.writeBack(scene.first, results);
      expect(new Map(bad.map(({ id, again }) => [id, again]))).toEqual(
        new Map([
          [broken.id, false],
          [impossible.id, false],
        ]),
      );
      const states = await Promise.all(rows.map(async ({ id }) => (await scene.world.row(id)).state));
      expect(states).toEqual(['delivered', 'sending', 'delivered', 'sending', 'delivered']);
    });

    test('A row that another transaction holds is handed back; the others are written', async () => {
      const [held, free] = [await scene.claimed(), await scene.claimed()];
      const results = [held, free].map((row) => result(row, { kind: 'delivered' }, delivered(null)));
      const bad = await scene.world.whileLocked(held.id, () => scene.world.sendRows.writeBack(scene.first, results));
      expect(bad).toEqual([{ id: held.id, reason: expect.any(String), again: true }]);
      expect(await scene.world.row(free.id)).toMatchObject({ state: 'delivered' });
      expect(await scene.world.sendRows.writeBack(scene.first, results)).toEqual([]);
      expect(await scene.world.row(held.id)).toMatchObject({ state: 'delivered' });
    });

    test('a claim whose result is refused is released: in doubt, for as much later as is said, once', async () => {
      const { sendRows } = scene.world;
      const [row, other] = [await scene.claimed(), await scene.claimed()];
      const [impossible, others] = [row, other].map((one) => ({
        ...result(one, { kind: 'delivered' }, delivered(null)),
        contentHash: 'not a hash',
      })) as [AttemptResult, AttemptResult];
      // A channel may be one that adds its own part to a time-out: no whole number.
      const release = { reason: 'not written', delayMs: 89_999.5 };
      expect(await sendRows.writeAlone(scene.first, impossible, null)).toBe('refused');
      expect(await scene.read(row.id)).toMatchObject({ state: 'sending', version: 1, session: scene.first });
      expect(await sendRows.writeAlone(scene.first, impossible, release)).toBe('released');
      await sendRows.writeAlone(scene.first, impossible, release);
      await sendRows.writeAlone(scene.second, others, release);
      const released = await scene.read(row.id);
      expect(released).toMatchObject({ state: 'scheduled', inDoubt: true, recoveries: 1, version: 2, session: null });
      expect(released.wakeAt).toBeGreaterThanOrEqual(scene.now + 89_999.5);
      expect(await scene.read(other.id)).toMatchObject({ state: 'sending', session: scene.first });
    });

    test('a claim of which nothing may have been accepted is released as much in doubt as it was', async () => {
      const { sendRows } = scene.world;
      const row = await scene.claimed();
      const refused = { kind: 'retry', reason: 'not now' } as const;
      const again = { state: 'scheduled', inDoubt: false, error: 'not now', delayMs: 0 } as const;
      const impossible = { ...result(row, refused, again), contentHash: 'not a hash' };
      const release = { reason: 'not written', delayMs: 60_000, keepsDoubt: true };
      expect(await sendRows.writeAlone(scene.first, impossible, release)).toBe('released');
      const after = { state: 'scheduled', inDoubt: false, doubtSince: null, recoveries: 1, version: 2, session: null };
      expect(await scene.read(row.id)).toMatchObject(after);
    });

    test('a result that can be written alone is written, and one whose row is held is not refused', async () => {
      const { sendRows } = scene.world;
      const [free, held] = [await scene.claimed(), await scene.claimed()];
      const write = (row: typeof free) =>
        sendRows.writeAlone(scene.first, result(row, { kind: 'delivered' }, delivered(null)), {
          reason: 'not written',
          delayMs: 60_000,
        });
      expect([await write(free), await write(free)]).toEqual(['written', 'written']);
      await scene.world.whileLocked(held.id, () => expect(write(held)).rejects.toThrow('ock'));
      expect(await scene.read(free.id)).toMatchObject({ state: 'delivered', inDoubt: false });
      expect(await scene.read(held.id)).toMatchObject({ state: 'sending', inDoubt: false, version: 1 });
    });

    test('texts are cut by characters', async () => {
      const [a, b] = [await scene.claimed(), await scene.claimed()];
      const receipt = `x${'🦆'.repeat(600)}`;
      const error = `x${'🦆'.repeat(1_100)}`;
      await scene.world.sendRows.writeBack(scene.first, [
        result(a, { kind: 'delivered', receipt }, delivered(receipt)),
        result(b, { kind: 'rejected', reason: error }, { state: 'failed', inDoubt: false, error }),
      ]);
      expect((await scene.world.row(a.id)).receipt).toBe(`x${'🦆'.repeat(511)}`);
      expect((await scene.world.row(b.id)).lastError).toBe(`x${'🦆'.repeat(1_023)}`);
    });
  });

  test('the past and the far future are times like others', async () => {
    const range = [Date.UTC(2000, 0, 1), Date.UTC(2000, 0, 1) + 1, Date.UTC(2100, 0, 1)];
    const ids = await scene.world.insert(range.map((dueAt) => ({ dueAt })));
    const rows = await scene.world.sendRows.read(ids, Number.POSITIVE_INFINITY);
    expect(await scene.world.sendRows.claim(scene.first, rows, 0)).toBe(2);
  });
}
