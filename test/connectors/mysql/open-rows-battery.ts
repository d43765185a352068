import { crc32 } from 'node:zlib';
import type { ShardCursor } from '../../../spouts/open-rows';
import { until } from '../../support/until';
import type { PortsWorld } from './ports-world';
import { newSession, result, Scene } from './scene';

/** What spouts and workers may count on. */
export function openRowsBattery(open: () => Promise<PortsWorld>): void {
  const scene = new Scene(open);

  describe('page', () => {
    test('gives the open rows of each shard in (wake, id) order, after the cursor and below the bound', async () => {
      const [account, other] = [`p-${newSession()}`, `q-${newSession()}`];
      const far = scene.now + 1_000_000;
      const ids = await scene.world.insert([
        { account, dueAt: far + 2 },
        { account, dueAt: far + 1 },
        { account, dueAt: far + 1 },
        { account: other, dueAt: far },
        { account, dueAt: far + 3 },
        { account, dueAt: far },
      ]);
      await scene.world.cancel(ids[5] as number);
      const start = { afterWake: far - 1, afterId: 0 };
      const cursors: ShardCursor[] = [{ shard: shardOf(account), ...start }];
      if (shardOf(other) !== shardOf(account)) cursors.push({ shard: shardOf(other), ...start });
      const page = async (from: ShardCursor[], limit: number) =>
        (await scene.world.openRows.page('webhook', from, far + 3, limit)).filter((row) => row.account === account);
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
      expect(await scene.world.openRows.page('other', cursors, far + 3, 100)).toEqual([]);
      expect(await scene.world.openRows.page('webhook', [], far + 3, 100)).toEqual([]);
    });

    test('takes no bound for a bound, and shows who is sending', async () => {
      const row = await scene.claimed();
      const cursor = { shard: shardOf(row.account), afterWake: Number.NEGATIVE_INFINITY, afterId: 0 };
      const rows = await scene.world.openRows.page('webhook', [cursor], Number.POSITIVE_INFINITY, 10_000);
      expect(rows.find(({ id }) => id === row.id)).toMatchObject({ state: 'sending', session: scene.first });
    });
  });

  describe('death', () => {
    test('a session is dead when it is unknown, or when it is marked dead after its lease ran out, for ever', async () => {
      const [alive, expired, unknown] = [newSession(), newSession(), newSession()];
      await scene.world.registry.register(worker(alive), LEASE);
      await scene.world.registry.register(worker(expired), -1);
      const { openRows, registry } = scene.world;
      const leases = await openRows.leasesOf([alive, expired, unknown]);
      expect(leases.map(({ session }) => session).toSorted()).toEqual([alive, expired].toSorted());
      const lost = { session: unknown, leaseUntil: 0 };
      expect((await openRows.markDead([...leases, lost])).toSorted()).toEqual([expired, unknown].toSorted());
      expect(await registry.renew(expired, LEASE, report)).toBe(false);
      expect(await registry.renew(unknown, LEASE, report)).toBe(false);
      expect(await registry.renew(alive, LEASE, report)).toBe(true);
      await registry.register(worker(expired), LEASE);
      expect((await openRows.leasesOf([alive, expired, unknown])).map(({ session }) => session)).toEqual([alive]);
      expect([await openRows.leasesOf([]), await openRows.markDead([])]).toEqual([[], []]);
    });

    test('leases that have run out lately are told unasked, and no others', async () => {
      const [alive, ended, asked] = [newSession(), newSession(), newSession()];
      const [long, marked] = [newSession(), newSession()];
      const { openRows, registry } = scene.world;
      await registry.register(worker(alive), LEASE);
      await registry.register(worker(ended), -5_000);
      for (const session of [asked, long]) await registry.register(worker(session), -20_000);
      await registry.register(worker(marked), LEASE);
      await registry.leave(marked);
      const told = (await openRows.leasesOf([asked], 10_000)).map(({ session }) => session);
      for (const session of [alive, ended, asked]) expect(told).toContain(session);
      for (const session of [long, marked]) expect(told).not.toContain(session);
    });

    test('a lease that was renewed after it was read is not ended, even when it has run out again', async () => {
      const session = newSession();
      const { openRows, registry } = scene.world;
      await registry.register(worker(session), -1_000);
      const read = await openRows.leasesOf([session]);
      await registry.renew(session, -1, report);
      expect(await openRows.markDead(read)).toEqual([]);
      expect(await registry.renew(session, LEASE, report)).toBe(true);
    });

    test('a worker that leaves is dead', async () => {
      const leaving = newSession();
      await scene.world.registry.register(worker(leaving), LEASE);
      await scene.world.registry.leave(leaving);
      expect(await scene.world.registry.renew(leaving, LEASE, report)).toBe(false);
      expect(await scene.world.openRows.leasesOf([leaving])).toEqual([]);
    });

    test('rows of the dead go back to scheduled, in doubt, in a new version, and wake after the delay', async () => {
      const [own, foreign, stale] = [await scene.claimed(), await scene.claimed(scene.second), await scene.claimed()];
      const rows = [own, foreign, stale].map(({ id, version }) => ({ id, version, session: scene.first }));
      const asked = rows.map((row) => (row.id === stale.id ? { ...row, version: 7 } : row));
      expect(await scene.world.openRows.recover(asked, 5_000)).toEqual({ recovered: 1, delivered: 0, refused: [] });
      const row = await scene.world.row(own.id);
      expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, version: 2, session: null, attempts: 1 });
      expect(row.wakeAt).toBeGreaterThanOrEqual(scene.now + 5_000);
      expect(await scene.world.row(foreign.id)).toMatchObject({ state: 'sending', session: scene.second });
      expect(await scene.world.row(stale.id)).toMatchObject({ state: 'sending', session: scene.first });
      expect(await scene.world.openRows.recover([], 0)).toEqual({ recovered: 0, delivered: 0, refused: [] });
    });

    test('what the ledger says is delivered by that claim is delivered, and the others are put back', async () => {
      const [journaled, other, foreign] = [await scene.claimed(), await scene.claimed(), await scene.claimed()];
      const settlement = { state: 'delivered', deliveredAt: 1_234, receipt: 'r' } as const;
      const its = (row: typeof journaled) => ({
        ...result(row, { kind: 'delivered', receipt: 'r' }, settlement),
        finishedAt: 1_234,
      });
      await scene.world.sendRows.journal(scene.first, [its(journaled)]);
      // A zombie's entry is of another claim.
      await scene.world.sendRows.journal(scene.second, [its(foreign)]);
      const lost = [journaled, other, foreign].map(({ id, version }) => ({ id, version, session: scene.first }));
      expect(await scene.world.openRows.recover(lost, 0)).toEqual({ recovered: 2, delivered: 1, refused: [] });
      expect(await scene.world.row(journaled.id)).toMatchObject({
        state: 'delivered',
        version: 1,
        deliveredAt: 1_234,
        receipt: 'r',
        lastError: null,
      });
      for (const { id } of [other, foreign])
        expect(await scene.world.row(id)).toMatchObject({ state: 'scheduled', version: 2, inDoubt: true });
      expect(await scene.world.openRows.recover(lost, 0)).toEqual({ recovered: 0, delivered: 0, refused: [] });
    });

    test('it is as its session would have settled it, whose write-back changes nothing afterwards', async () => {
      const [recovered, settled] = [await scene.claimed(), await scene.claimed()];
      const its = (row: typeof recovered) =>
        result(row, { kind: 'delivered', receipt: 'r' }, { state: 'delivered', deliveredAt: 5.5, receipt: 'r' });
      const results = [recovered, settled].map(its);
      await scene.world.sendRows.journal(scene.first, results);
      await scene.world.openRows.recover([{ id: recovered.id, version: 1, session: scene.first }], 0);
      const before = await scene.world.row(recovered.id);
      expect(await scene.world.sendRows.writeBack(scene.first, results)).toEqual([]);
      const after = await scene.world.row(recovered.id);
      expect(after).toEqual(before);
      const { state, deliveredAt, receipt } = await scene.world.row(settled.id);
      expect(after).toMatchObject({ state, deliveredAt, receipt });
    });

    test('a row that the database refuses to write holds no other of its batch', async () => {
      const rows = [await scene.claimed(), await scene.claimed(), await scene.claimed()];
      const poison = rows[1] as (typeof rows)[number];
      await scene.world.setVersion(poison.id, 2 ** 32 - 1);
      const lost = rows.map(({ id, version }) => ({ id, version, session: scene.first }));
      const recovery = await scene.world.openRows.recover(
        lost.map((row) => (row.id === poison.id ? { ...row, version: 2 ** 32 - 1 } : row)),
        0,
      );
      expect(recovery).toEqual({
        recovered: 2,
        delivered: 0,
        refused: [{ id: poison.id, reason: expect.any(String) }],
      });
      for (const { id } of rows) {
        expect(await scene.world.row(id)).toMatchObject({ state: id === poison.id ? 'sending' : 'scheduled' });
      }
    });
  });

  describe('pulse', () => {
    test("gives a reading of the database's clock, and what is paused", async () => {
      const account = `p-${newSession()}`;
      await scene.world.pause('webhook', account);
      const { reading, pausedChannels, pausedAccounts } = await scene.world.registry.pulse();
      expect(reading.received).toBeGreaterThanOrEqual(reading.sent);
      expect(reading.timestamp).toBeGreaterThanOrEqual(scene.now - 1);
      expect(reading.timestamp).toBeLessThanOrEqual((await scene.world.now()) + 1);
      expect(reading.server).not.toBe('');
      expect(pausedChannels).toEqual([]);
      expect(pausedAccounts).toEqual([{ channel: 'webhook', account }]);
      await scene.world.pause('webhook');
      expect((await scene.world.registry.pulse()).pausedChannels).toEqual(['webhook']);
    });

    test('a pause of a command that adds partitions is told apart from those of people', async () => {
      const before = (await scene.world.registry.pulse()).pausedChannels;
      await scene.world.pauseEmission('mastodon');
      expect(await scene.world.registry.pulse()).toMatchObject({
        pausedChannels: before,
        emissionPausedChannels: ['mastodon'],
      });
    });

    test('a pause with an end is over when its time has come', async () => {
      const account = `p-${newSession()}`;
      const isPaused = async () =>
        (await scene.world.registry.pulse()).pausedAccounts.some((one) => one.account === account);
      await scene.world.pause('webhook', account, 60_000);
      expect(await isPaused()).toBe(true);
      await scene.world.pause('webhook', account, 300);
      await until('the pause is over', async () => !(await isPaused()));
    });

    test('a deactivated topology is told apart from paused channels', async () => {
      expect((await scene.world.registry.pulse()).deactivated).toBe(false);
      await scene.world.pause(null);
      const { deactivated, pausedChannels } = await scene.world.registry.pulse();
      expect({ deactivated, all: pausedChannels.includes('') }).toEqual({ deactivated: true, all: false });
    });
  });
}

const LEASE = 10_000;
const report = { partitions: { due: [0, 1] }, gauges: { due: { pending: 3 } } };

function worker(session: string) {
  return { session, components: ['due'], host: 'here', pid: 1, version: '0', statusUrl: null };
}

function shardOf(account: string): number {
  return crc32(account) % 256;
}
