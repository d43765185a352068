import type { PortsWorld } from './ports-world';
import { result, retry, Scene } from './scene';

/** What applications may count on. */
export function changesBattery(open: () => Promise<PortsWorld>): void {
  const scene = new Scene(open);

  describe('edit and cancel', () => {
    test('change a message that waits, in a new version', async () => {
      const [edited, canceled] = [await scene.insert(scene.now + 1_000), await scene.insert(scene.now + 1_000)];
      expect(await scene.world.edit(edited, { dueAt: scene.now + 9_000, version: 1 })).toEqual({
        result: 'edited',
        version: 2,
      });
      expect(await scene.world.edit(edited, { dueAt: scene.now, version: 1 })).toEqual({
        result: 'changed',
        version: 2,
      });
      expect(await scene.world.row(edited)).toMatchObject({
        state: 'scheduled',
        wakeAt: scene.now + 9_000,
        version: 2,
      });
      const payload = { url: 'http://127.0.0.1/new', body: [1, { two: null }] };
      expect(await scene.world.edit(edited, { payload })).toMatchObject({ result: 'edited', version: 3 });
      expect(JSON.parse((await scene.read(edited)).payload as string)).toEqual(payload);
      expect(await scene.world.cancel(canceled)).toEqual({ result: 'canceled' });
      expect(await scene.world.row(canceled)).toMatchObject({ state: 'canceled', version: 2, wakeAt: null });
      expect(await scene.world.cancel(canceled)).toEqual({ result: 'already', state: 'canceled' });
      expect(await scene.world.edit(canceled, { dueAt: scene.now })).toEqual({ result: 'already', state: 'canceled' });
      expect(await scene.world.cancel(999_999_999)).toEqual({ result: 'not_found' });
      expect(await scene.world.edit(999_999_999, { dueAt: scene.now })).toEqual({ result: 'not_found' });
    });

    test('answer too_late for a claimed message, and since when it is', async () => {
      const row = await scene.claimed();
      for (const answer of [await scene.world.cancel(row.id), await scene.world.edit(row.id, { dueAt: scene.now })]) {
        expect(answer).toEqual({ result: 'too_late', claimedAt: expect.any(Number), worker: scene.first });
        expect((answer as { claimedAt: number }).claimedAt).toBeGreaterThanOrEqual(scene.now - 1);
      }
      expect((await scene.read(row.id)).state).toBe('sending');
    });

    test('of a row in doubt: an edit is refused, a cancel makes it uncertain', async () => {
      const { id } = await scene.recovered(await scene.claimed());
      expect(await scene.world.edit(id, { dueAt: scene.now })).toEqual({ result: 'in_doubt' });
      expect(await scene.world.row(id)).toMatchObject({ state: 'scheduled', version: 2 });
      expect(await scene.world.cancel(id)).toEqual({ result: 'in_doubt' });
      expect(await scene.world.row(id)).toMatchObject({ state: 'uncertain', version: 3, inDoubt: true });
    });

    test('a new due time clears the time of a retry; attempts start again', async () => {
      const row = await scene.claimed();
      await scene.world.sendRows.writeBack(scene.first, [
        result(row, { kind: 'retry', reason: 'busy' }, retry(60_000)),
      ]);
      await scene.world.edit(row.id, { payload: { url: 'http://127.0.0.1/', body: 1 } });
      const edited = await scene.world.row(row.id);
      expect(edited).toMatchObject({ attempts: 0, version: 3 });
      expect(edited.wakeAt).toBeGreaterThanOrEqual(scene.now + 60_000);
      await scene.world.edit(row.id, { dueAt: scene.now + 5 });
      expect(await scene.world.row(row.id)).toMatchObject({ wakeAt: scene.now + 5, version: 4 });
    });
  });
}
