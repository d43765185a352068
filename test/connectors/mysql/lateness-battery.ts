import type { SendRow, UnclaimedResult } from '../../../bolts/send-rows';
import type { LateSettlement } from '../../../topology/message';
import type { NewRow } from '../../support/mysql/memory-table';
import type { PortsWorld } from './ports-world';
import { result, retry, Scene } from './scene';

const REASON = 'late: not sent, because it is 27h after it was due';
const skipped: LateSettlement = { state: 'failed', inDoubt: false, error: REASON, isLate: true };
const waits: LateSettlement = { ...skipped, state: 'late' };
const REFUSED = { kind: 'unusable', reason: 'revoked', generation: 0 } as const;
const suspended = { state: 'suspended', inDoubt: false, error: 'revoked', generation: 0 } as const;
let accounts = 0;

function lateResult(row: SendRow, settlement: LateSettlement): UnclaimedResult {
  const one = result(row, { kind: 'retry', reason: '' }, settlement);
  const { updatedAt } = row;
  return { ...one, updatedAt, outcome: { kind: 'late', reason: REASON }, startedAt: null };
}

/** What bolts, spouts and people may count on when a message was not sent in time. */
export function latenessBattery(open: () => Promise<PortsWorld>): void {
  const scene = new Scene(open);

  async function inserted(more: Partial<NewRow> = {}): Promise<SendRow> {
    const [id] = await scene.world.insert([{ dueAt: scene.now - 1, account: `late-${++accounts}`, ...more }]);
    return scene.read(id as number);
  }

  async function claimed(row: SendRow): Promise<SendRow> {
    if ((await scene.world.sendRows.claim(scene.first, [row], 0)) !== 1) throw new Error('the claim was lost');
    return scene.read(row.id);
  }

  const end = (row: SendRow, settlement: LateSettlement = waits) =>
    scene.world.sendRows.settleUnclaimed(scene.first, [lateResult(row, settlement)]);

  /** @returns the row, late */
  async function ended(settlement: LateSettlement = waits): Promise<SendRow> {
    const row = await inserted();
    expect(await end(row, settlement)).toEqual([row.id]);
    return scene.read(row.id);
  }

  async function resumeAccounts(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await scene.world.suspendedRows.resume(undefined);
  }

  describe('a message that was not sent in time', () => {
    test('what it says itself is read with it, and nothing unless it says something', async () => {
      expect(await inserted()).toMatchObject({ sendWithinMs: null, onLate: null, lateFrom: null });
      expect(await inserted({ sendWithinMs: 1_500, onLate: 'skip' })).toMatchObject({
        sendWithinMs: 1_500,
        onLate: 'skip',
      });
    });

    test.each([skipped, waits])(
      'ends without a claim as %j, and the ledger says that it was late',
      async (settlement) => {
        const row = await ended(settlement);
        expect(row).toMatchObject({ state: settlement.state, attempts: 0, version: 1, firstAttemptAt: null });
        expect(await scene.world.row(row.id)).toMatchObject({ isLate: true, lastError: REASON, inDoubt: false });
        expect(await scene.world.ledger(row.id)).toMatchObject([{ outcome: 'late', error: REASON }]);
        expect(await scene.world.sendRows.claim(scene.second, [row], 0)).toBe(0);
        // Repeating it is harmless.
        expect(await end(row, settlement)).toEqual([]);
        expect(await scene.world.ledger(row.id)).toHaveLength(1);
      },
    );

    test('is left as it is when it changed since it was read, was claimed, is in doubt, locked, or has not woken', async () => {
      const [edited, sending, tried, locked, free] = [
        await inserted(),
        await inserted(),
        await claimed(await inserted()),
        await inserted(),
        await inserted(),
      ];
      await scene.world.overwrite(edited.id, { url: 'http://127.0.0.1/', body: 'other' });
      await claimed(sending);
      const unknown = { kind: 'unknown', reason: 'lost' } as const;
      await scene.world.sendRows.writeBack(scene.first, [result(tried, unknown, { ...retry(0), inDoubt: true })]);
      const doubtful = await scene.read(tried.id);
      const early = await inserted({ dueAt: scene.now + 60_000 });
      const rows = [edited, sending, doubtful, locked, free, early];
      const done = await scene.world.whileLocked(locked.id, () =>
        scene.world.sendRows.settleUnclaimed(
          scene.second,
          rows.map((row) => lateResult(row, waits)),
        ),
      );
      expect(done).toEqual([free.id]);
      expect(await Promise.all(rows.map(async ({ id }) => (await scene.world.row(id)).state))).toEqual([
        'scheduled',
        'sending',
        'scheduled',
        'scheduled',
        'late',
        'scheduled',
      ]);
      expect(await scene.world.ledger(edited.id)).toEqual([]);
      expect(await end(locked)).toEqual([locked.id]);
    });

    test('that became late after its claim costs no attempt', async () => {
      const row = await claimed(await inserted());
      expect(await scene.world.sendRows.writeBack(scene.first, [lateResult(row, skipped)])).toEqual([]);
      expect(await scene.read(row.id)).toMatchObject({ state: 'failed', attempts: 0, firstAttemptAt: null });
      expect(await scene.world.row(row.id)).toMatchObject({ isLate: true });
    });

    test('of which a retry would be late keeps its attempt, and the outcome that it had', async () => {
      const row = await claimed(await inserted());
      await scene.world.sendRows.writeBack(scene.first, [result(row, { kind: 'retry', reason: 'busy' }, skipped)]);
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'failed', attempts: 1, isLate: true });
      expect(await scene.world.ledger(row.id)).toMatchObject([{ outcome: 'retry', error: 'busy' }]);
    });

    test('and fails for another reason later is not late any more', async () => {
      const { id } = await ended(skipped);
      await scene.world.redrive(id);
      const row = await claimed(await scene.read(id));
      const failed = { state: 'failed', inDoubt: false, error: 'gone' } as const;
      await scene.world.sendRows.writeBack(scene.first, [result(row, { kind: 'rejected', reason: 'gone' }, failed)]);
      expect(await scene.world.row(id)).toMatchObject({ state: 'failed', isLate: false });
    });

    test('marks no account, and no account that is resumed sends it', async () => {
      const row = await ended();
      expect(await scene.world.stateOf(row.account)).toBe('usable');
      await scene.world.say(row.account, 'resuming');
      await resumeAccounts();
      expect(await scene.world.stateOf(row.account)).toBe('usable');
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'late', version: 1, isLate: true });
    });

    test('has its whole time again when a person resumes or redrives it', async () => {
      const [one, other] = [await ended(), await ended(skipped)];
      expect(await scene.world.resume(one.id)).toBe(true);
      expect(await scene.world.redrive(other.id)).toBe(true);
      for (const { id } of [one, other]) {
        const row = await scene.read(id);
        expect(row).toMatchObject({ state: 'scheduled', version: 2 });
        expect(row.lateFrom).toBeGreaterThanOrEqual(scene.now);
        expect(await scene.world.row(id)).toMatchObject({ isLate: false });
        expect(await scene.world.sendRows.claim(scene.first, [row], 0)).toBe(1);
      }
    });

    test('begins its attempts anew when a person resumes it, and not when its account is mended', async () => {
      for (const by of ['person', 'spout'] as const) {
        const row = await claimed(await inserted());
        const busy = { kind: 'retry', reason: 'busy' } as const;
        await scene.world.sendRows.writeBack(scene.first, [result(row, busy, retry(0))]);
        const tried = await scene.read(row.id);
        expect(tried).toMatchObject({ attempts: 1, firstAttemptAt: expect.any(Number) });
        if (by === 'person') {
          expect(await end(tried)).toEqual([row.id]);
          expect(await scene.world.resume(row.id)).toBe(true);
        } else {
          await scene.world.sendRows.writeBack(scene.first, [result(await claimed(tried), REFUSED, suspended)]);
          await scene.world.say(row.account, 'resuming');
          await resumeAccounts();
        }
        const { firstAttemptAt, lateFrom, ...resumed } = await scene.read(row.id);
        expect(resumed).toMatchObject({ state: 'scheduled', attempts: by === 'person' ? 0 : 1 });
        expect([firstAttemptAt === null, lateFrom !== null]).toEqual([by === 'person', by === 'person']);
      }
    });

    test('is scheduled by every edit, also while its account is being resumed, because no spout waits for it', async () => {
      const row = await ended();
      await scene.world.say(row.account, 'resuming');
      await scene.world.edit(row.id, { payload: { url: 'http://127.0.0.1/', body: 1 } });
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'scheduled', isLate: false, version: 2 });
      await resumeAccounts();
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'scheduled', version: 2 });
    });

    test('can be canceled', async () => {
      const row = await ended();
      expect(await scene.world.cancel(row.id)).toEqual({ result: 'canceled' });
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'canceled', isLate: false });
    });
  });
}
