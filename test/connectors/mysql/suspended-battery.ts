import type { SendRow } from '../../../bolts/send-rows';
import type { AccountName } from '../../../spouts/suspended-rows';
import type { Settlement } from '../../../topology/message';
import type { PortsWorld } from './ports-world';
import { delivered, newSession, result, Scene } from './scene';

const REASON = 'the token was revoked';
let accounts = 0;

/** What bolts, spouts and applications may count on when an account cannot be used. */
export function suspendedBattery(open: () => Promise<PortsWorld>): void {
  const scene = new Scene(open);

  /** Rows of an account, a new one unless it is named; claimed. */
  async function claimedOf(
    dueAt: readonly number[],
    session = scene.first,
    account = `suspended-${++accounts}`,
  ): Promise<SendRow[]> {
    const ids = await scene.world.insert(dueAt.map((at) => ({ dueAt: at, account })));
    const rows = await scene.world.sendRows.read(ids, Number.POSITIVE_INFINITY);
    await scene.world.sendRows.claim(session, rows, 0);
    const claimed = await scene.world.sendRows.read(ids, Number.POSITIVE_INFINITY);
    return claimed.toSorted((a, b) => a.id - b.id);
  }

  const refuse = (rows: readonly SendRow[], generation: number, session = scene.first) =>
    scene.world.sendRows.writeBack(
      session,
      rows.map((row) => {
        const settlement: Settlement = { state: 'suspended', inDoubt: row.inDoubt, error: REASON, generation };
        return result(row, { kind: 'unusable', reason: REASON, generation }, settlement);
      }),
    );

  /** What a spout does until nothing is left. @returns the rows of each batch */
  async function resumeAll(): Promise<number[]> {
    const batches: number[] = [];
    let after: AccountName | undefined;
    for (let quiet = 0; quiet < 2; ) {
      const { rows, at } = await scene.world.suspendedRows.resume(after);
      after = at;
      if (rows > 0) batches.push(rows);
      quiet = rows > 0 ? 0 : quiet + (at === undefined ? 1 : 0);
    }
    return batches;
  }

  describe('a message whose account cannot be used', () => {
    test('A row is suspended in the transaction that marks its account unusable, with its reason, and costs no attempt', async () => {
      const [row] = (await claimedOf([scene.now - 1])) as [SendRow];
      expect(await refuse([row], 0)).toEqual([]);
      expect(await scene.world.row(row.id)).toMatchObject({
        state: 'suspended',
        attempts: 0,
        version: 1,
        inDoubt: false,
        lastError: REASON,
        session: null,
      });
      expect(await scene.world.stateOf(row.account)).toBe('unusable');
      expect(await scene.world.ledger(row.id)).toMatchObject([{ outcome: 'unusable', error: REASON }]);
      expect((await scene.read(row.id)).firstAttemptAt).toBeNull();
      expect(await scene.world.sendRows.claim(scene.second, [await scene.read(row.id)], 0)).toBe(0);
    });

    test('What a person has set since is not marked: its rows are given back, so that none stays suspended for ever', async () => {
      const [row] = (await claimedOf([scene.now - 1])) as [SendRow];
      await scene.world.say(row.account, 'resuming');
      await refuse([row], 0);
      expect(await scene.world.stateOf(row.account)).toBe('resuming');
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'scheduled', attempts: 0, version: 2 });
      const [other] = (await claimedOf([scene.now - 1])) as [SendRow];
      await scene.world.say(other.account, 'usable');
      await refuse([other], 1);
      expect(await scene.world.row(other.id)).toMatchObject({ state: 'suspended', version: 1 });
    });

    test('An account is marked once, whoever is refused next, and one that a person has disabled stays disabled', async () => {
      const rows = await claimedOf([scene.now - 1, scene.now - 1, scene.now - 1]);
      await refuse(rows.slice(0, 1), 0);
      await refuse(rows.slice(1, 2), 0);
      expect(await scene.world.stateOf((rows[0] as SendRow).account)).toBe('unusable');
      await scene.world.say((rows[0] as SendRow).account, 'disabled');
      await refuse(rows.slice(2), 1);
      expect(await scene.world.stateOf((rows[0] as SendRow).account)).toBe('disabled');
      for (const { id } of rows) expect(await scene.world.row(id)).toMatchObject({ state: 'suspended' });
    });

    test('two workers that are refused at once mark it, and deadlock over nothing', async () => {
      const many = Array.from({ length: 60 }, () => scene.now - 1);
      const [first, second] = [await claimedOf(many), await claimedOf(many, scene.second)];
      const both = await Promise.all([refuse(first, 0), refuse(second, 0, scene.second), refuse(first, 0)]);
      // Those of an account that another batch was just marking are handed back.
      expect(both.flat().filter(({ again }) => !again)).toEqual([]);
      expect(await refuse(first, 0)).toEqual([]);
      expect(await refuse(second, 0, scene.second)).toEqual([]);
      for (const { id } of [...first, ...second]) expect((await scene.world.row(id)).state).toBe('suspended');
    });

    test('An account that somebody holds keeps no result of others waiting, whether they were delivered or refused', async () => {
      const claims: SendRow[] = [];
      for (let n = 0; n < 5; n++) claims.push(...(await claimedOf([scene.now - 1])));
      const [held, fresh, fine, other, unmarked] = claims as [SendRow, SendRow, SendRow, SendRow, SendRow];
      // Of the others nothing was ever written.
      const said = [held, other];
      for (const { account } of said) await scene.world.say(account, 'usable');
      const results = [held, fresh, other, unmarked].map((row) => {
        const refused = { generation: said.includes(row) ? 1 : 0 };
        const settlement: Settlement = { state: 'suspended', inDoubt: row.inDoubt, error: REASON, ...refused };
        return result(row, { kind: 'unusable', reason: REASON, ...refused }, settlement);
      });
      results.push(result(fine, { kind: 'delivered' }, delivered('r')));
      const bad = await scene.world.whileAccountLocked(held.account, () =>
        scene.world.whileAccountLocked(fresh.account, async () => {
          const unwritten = await scene.world.sendRows.writeBack(scene.first, results);
          expect(await scene.world.row(fine.id)).toMatchObject({ state: 'delivered' });
          for (const { id } of [other, unmarked]) {
            expect(await scene.world.row(id)).toMatchObject({ state: 'suspended' });
          }
          for (const { id } of [held, fresh]) expect(await scene.world.row(id)).toMatchObject({ state: 'sending' });
          return unwritten;
        }),
      );
      // That the account itself waits may be said too.
      const again = [held, fresh].map(({ id }) => ({ id, reason: 'locked by another transaction', again: true }));
      expect(bad.toSorted((a, b) => a.id - b.id)).toMatchObject(again);
      expect([...(await refuse([held], 1)), ...(await refuse([fresh], 0))]).toEqual([]);
      for (const { id, account } of [held, fresh]) {
        expect(await scene.world.row(id)).toMatchObject({ state: 'suspended' });
        expect(await scene.world.stateOf(account)).toBe('unusable');
      }
    }, 30_000);

    test('in doubt keeps its doubt; its late answer still settles it', async () => {
      const [row] = (await claimedOf([scene.now - 1])) as [SendRow];
      await scene.recovered(row);
      await scene.world.sendRows.claim(scene.second, [await scene.read(row.id)], 0);
      const again = await scene.read(row.id);
      await refuse([again], 0, scene.second);
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'suspended', inDoubt: true, version: 2 });
      expect((await scene.read(row.id)).doubtSince).not.toBeNull();
      await scene.world.sendRows.writeBack(scene.first, [result(row, { kind: 'delivered' }, delivered('late'))]);
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'delivered', receipt: 'late' });
    });

    test('is not suspended by a session that has lost its claim', async () => {
      const [row] = (await claimedOf([scene.now - 1])) as [SendRow];
      await scene.recovered(row);
      await refuse([row], 0);
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'scheduled', inDoubt: true, version: 2 });
    });
  });

  describe('an edit and a cancel', () => {
    test('of a suspended message work: an edit is a new plan and is scheduled, a cancel ends it', async () => {
      const [edited, canceled] = (await claimedOf([scene.now - 1, scene.now - 1])) as [SendRow, SendRow];
      await refuse([edited, canceled], 0);
      expect(await scene.world.edit(edited.id, { dueAt: scene.now + 60_000 })).toEqual({
        result: 'edited',
        version: 2,
      });
      expect(await scene.world.row(edited.id)).toMatchObject({ state: 'scheduled', wakeAt: scene.now + 60_000 });
      expect(await scene.world.cancel(canceled.id)).toEqual({ result: 'canceled' });
      expect(await scene.world.row(canceled.id)).toMatchObject({ state: 'canceled', version: 2, wakeAt: null });
    });

    test('An edit of what a person has kept back is scheduled, whether it changes the text or the time', async () => {
      const rows = await claimedOf([scene.now - 1, scene.now - 1, scene.now - 1]);
      const [text, time, kept] = rows as [SendRow, SendRow, SendRow];
      await refuse(rows, 0);
      await scene.world.say(text.account, 'usable');
      await scene.world.edit(text.id, { payload: { url: 'http://127.0.0.1/', body: 'new' } });
      await scene.world.edit(time.id, { dueAt: scene.now + 60_000 });
      expect(await scene.world.row(text.id)).toMatchObject({ state: 'scheduled', version: 2, wakeAt: text.dueAt });
      expect(await scene.world.row(time.id)).toMatchObject({ state: 'scheduled', wakeAt: scene.now + 60_000 });
      expect(await scene.world.row(kept.id)).toMatchObject({ state: 'suspended', version: 1 });
      expect(await scene.world.sendRows.claim(scene.second, [await scene.read(text.id)], 0)).toBe(1);
    });

    test('An edit of an account that cannot be used is suspended again when it comes due', async () => {
      const [row] = (await claimedOf([scene.now - 1])) as [SendRow];
      await refuse([row], 0);
      await scene.world.edit(row.id, { dueAt: scene.now - 1 });
      await scene.world.sendRows.claim(scene.second, [await scene.read(row.id)], 0);
      await refuse([await scene.read(row.id)], 0, scene.second);
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'suspended', version: 2 });
      await scene.world.say(row.account, 'resuming');
      expect(await resumeAll()).toEqual([1]);
    });

    test('An edit in the middle of a resumption overtakes nothing that is due earlier', async () => {
      const rows = await claimedOf([scene.now - 3, scene.now - 2, scene.now - 1]);
      const [first, middle, last] = rows as [SendRow, SendRow, SendRow];
      await refuse(rows, 0);
      await scene.world.say(first.account, 'resuming');
      await scene.world.edit(middle.id, { payload: { url: 'http://127.0.0.1/', body: 'new' } });
      await scene.world.edit(last.id, { dueAt: scene.now + 60_000 });
      expect(await scene.world.row(middle.id)).toMatchObject({ state: 'suspended', version: 2 });
      expect(await scene.world.row(last.id)).toMatchObject({ state: 'scheduled', version: 2 });
      expect(await resumeAll()).toEqual([2]);
      expect(await scene.world.row(middle.id)).toMatchObject({ state: 'scheduled', version: 3 });
      expect(await scene.world.stateOf(first.account)).toBe('usable');
    });

    test('An edit is scheduled also while the account is being resumed where something was kept back: nobody might look at its new place', async () => {
      const { first, world } = scene;
      const [kept] = (await claimedOf([scene.now - 2])) as [SendRow];
      const { account } = kept;
      const set = (policy?: 'keep') =>
        world.setCredentials(account, 'token', { expiresAt: null, refreshAt: null }, policy);
      await refuse([kept], 0);
      await set('keep');
      const [since] = (await claimedOf([scene.now - 1], first, account)) as [SendRow];
      await refuse([since], (await world.credentialsOf(account)).generation);
      await set();
      for (const { id } of [kept, since]) await world.edit(id, { payload: { url: 'http://127.0.0.1/', body: 'new' } });
      expect(await world.row(kept.id)).toMatchObject({ state: 'scheduled', version: 2 });
      expect(await world.row(since.id)).toMatchObject({ state: 'scheduled', version: 2 });
      expect(await resumeAll()).toEqual([]);
      expect(await world.stateOf(account)).toBe('usable');
    });

    test('of a suspended message in doubt: an edit is refused, a cancel makes it uncertain', async () => {
      const [row] = (await claimedOf([scene.now - 1])) as [SendRow];
      await scene.recovered(row);
      const again = await scene.read(row.id);
      await scene.world.sendRows.claim(scene.first, [again], 0);
      await refuse([await scene.read(row.id)], 0);
      expect(await scene.world.edit(row.id, { dueAt: scene.now })).toEqual({ result: 'in_doubt' });
      expect(await scene.world.cancel(row.id)).toEqual({ result: 'in_doubt' });
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'uncertain', inDoubt: true, version: 3 });
    });
  });

  describe('when the account can be used again', () => {
    test('its messages are scheduled again in a new version, and the account is usable when none is left', async () => {
      const rows = await claimedOf([scene.now - 1, scene.now - 3, scene.now - 2]);
      const { account } = rows[0] as SendRow;
      await refuse(rows, 0);
      expect(await resumeAll()).toEqual([]);
      await scene.world.say(account, 'resuming');
      expect(await resumeAll()).toEqual([3]);
      expect(await scene.world.stateOf(account)).toBe('usable');
      for (const { id, dueAt } of rows) {
        expect(await scene.world.row(id)).toMatchObject({ state: 'scheduled', version: 2, attempts: 0, wakeAt: dueAt });
      }
    });

    test('those of other accounts, and those that a person keeps back, stay suspended', async () => {
      const [kept, other] = [await claimedOf([scene.now - 1]), await claimedOf([scene.now - 1])];
      await refuse([...kept, ...other], 0);
      await scene.world.say((kept[0] as SendRow).account, 'usable');
      expect(await resumeAll()).toEqual([]);
      for (const { id } of [...kept, ...other]) expect((await scene.world.row(id)).state).toBe('suspended');
    });

    test('what a person has kept back stays, whatever is suspended and mended later, until somebody says that it is sent', async () => {
      const { first, world } = scene;
      const [kept] = (await claimedOf([scene.now - 1])) as [SendRow];
      const { account } = kept;
      await refuse([kept], 0);
      const set = (policy?: 'send' | 'keep') =>
        world.setCredentials(account, 'token', { expiresAt: null, refreshAt: null }, policy);
      await set('keep');
      expect(await world.stateOf(account)).toBe('usable');
      const mends = [() => set(), () => world.enable(account)];
      for (const mend of mends) {
        const [next] = (await claimedOf([scene.now - 1], first, account)) as [SendRow];
        await refuse([next], (await world.credentialsOf(account)).generation);
        await mend();
        expect(await world.stateOf(account)).toBe('resuming');
        expect(await resumeAll()).toEqual([1]);
        expect(await world.row(next.id)).toMatchObject({ state: 'scheduled' });
        expect(await world.row(kept.id)).toMatchObject({ state: 'suspended', version: 1 });
        expect(await world.stateOf(account)).toBe('usable');
      }
      await world.say(account, 'disabled');
      await world.enable(account);
      expect(await resumeAll()).toEqual([]);
      expect(await world.stateOf(account)).toBe('usable');
      await set('send');
      expect(await resumeAll()).toEqual([1]);
      expect(await world.row(kept.id)).toMatchObject({ state: 'scheduled', version: 2 });
    });

    test('doubt stays, and a row that a transaction holds follows when it is free', async () => {
      const [row, held] = (await claimedOf([scene.now - 1, scene.now - 1])) as [SendRow, SendRow];
      await scene.recovered(row);
      await scene.world.sendRows.claim(scene.first, [await scene.read(row.id)], 0);
      await refuse([await scene.read(row.id), held], 0);
      await scene.world.say(row.account, 'resuming');
      const rows = await scene.world.whileLocked(held.id, async () => {
        await scene.world.suspendedRows.resume(undefined);
        await scene.world.suspendedRows.resume(undefined);
        return [await scene.world.row(row.id), await scene.world.row(held.id)];
      });
      expect(rows).toMatchObject([{ state: 'scheduled', inDoubt: true }, { state: 'suspended' }]);
      expect(await scene.world.stateOf(row.account)).toBe('resuming');
      await resumeAll();
      expect(await scene.world.row(held.id)).toMatchObject({ state: 'scheduled' });
    });

    test('an account that somebody holds is left, and those after it are resumed', async () => {
      const both = [await claimedOf([scene.now - 1]), await claimedOf([scene.now - 1])].flat();
      await refuse(both, 0);
      for (const { account } of both) await scene.world.say(account, 'resuming');
      const [first, second] = both.toSorted((a, b) => (a.account < b.account ? -1 : 1)) as [SendRow, SendRow];
      await scene.world.whileAccountLocked(first.account, async () => {
        const at = { account: first.account, channel: 'webhook' };
        expect(await scene.world.suspendedRows.resume(undefined)).toEqual({ rows: 0, hasMore: false, at });
        const next = { account: second.account, channel: 'webhook' };
        expect(await scene.world.suspendedRows.resume(at)).toEqual({ rows: 1, hasMore: false, at: next });
      });
      expect(await scene.world.row(first.id)).toMatchObject({ state: 'suspended' });
      expect(await resumeAll()).toEqual([1]);
    });

    test('accounts are found one after the other, from any on', async () => {
      const many = [
        await claimedOf([scene.now - 1]),
        await claimedOf([scene.now - 1]),
        await claimedOf([scene.now - 1]),
      ];
      await refuse(many.flat(), 0);
      const names = many.map(([row]) => (row as SendRow).account).toSorted();
      for (const name of names) await scene.world.say(name, 'resuming');
      const seen: (string | undefined)[] = [];
      let after: AccountName | undefined;
      for (let turn = 0; turn < 4; turn++) {
        const { at } = await scene.world.suspendedRows.resume(after);
        seen.push(at?.account);
        after = at;
      }
      expect(seen).toEqual([...names, undefined]);
      await resumeAll();
    });

    test('what was refused once more meanwhile is suspended again, and not resumed', async () => {
      const [row] = (await claimedOf([scene.now - 1])) as [SendRow];
      await refuse([row], 0);
      await scene.world.say(row.account, 'resuming');
      await scene.world.suspendedRows.resume(undefined);
      const session = newSession();
      await scene.world.sendRows.claim(session, [await scene.read(row.id)], 0);
      await refuse([await scene.read(row.id)], 1, session);
      expect(await scene.world.stateOf(row.account)).toBe('unusable');
      expect(await resumeAll()).toEqual([]);
      expect(await scene.world.row(row.id)).toMatchObject({ state: 'suspended', version: 2 });
    });
  });
}
