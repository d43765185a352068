import type { PortsWorld } from './ports-world';
import { delivered, result, retry, Scene } from './scene';

/** What bolts may count on where channels keep ids between attempts. */
export function keptIdsBattery(open: () => Promise<PortsWorld>): void {
  const scene = new Scene(open);
  const rows = () => scene.world.sendRows;
  const contentHash = 'ab'.repeat(32);
  const kept = (container: string) => ({ ids: { container }, contentHash });

  test('ids are kept under the plan number, in place of those before them', async () => {
    const row = await scene.claimed();
    expect(await rows().kept(row.id, row.planNumber)).toBeUndefined();
    expect(await rows().keep(scene.first, row, kept('17'))).toBe(true);
    expect(await rows().kept(row.id, row.planNumber)).toEqual(kept('17'));
    const other = { ids: { container: `18 "'\\`, of: 'Grüße 🦆' }, contentHash: 'cd'.repeat(32) };
    expect(await rows().keep(scene.first, row, other)).toBe(true);
    expect(await rows().keep(scene.first, row, other)).toBe(true);
    expect(await rows().kept(row.id, row.planNumber)).toEqual(other);
    expect(await rows().kept(row.id, row.planNumber + 1)).toBeUndefined();
    expect(await rows().kept(row.id + 1_000_000, row.planNumber)).toBeUndefined();
  });

  test('the row stands still while its ids are kept', async () => {
    const row = await scene.claimed();
    await rows().keep(scene.first, row, kept('17'));
    expect(await scene.read(row.id)).toEqual(row);
  });

  test('only the session that owns the row in that version keeps ids', async () => {
    const row = await scene.claimed();
    expect(await rows().keep(scene.second, row, kept('of a stranger'))).toBe(false);
    expect(await rows().keep(scene.first, { ...row, version: 2 }, kept('of no claim'))).toBe(false);
    expect(await rows().kept(row.id, row.planNumber)).toBeUndefined();
  });

  test('a zombie does not overwrite what its successor kept, and its own ids are found by it', async () => {
    const row = await scene.claimed();
    await rows().keep(scene.first, row, kept('first'));
    const again = await scene.recovered(row);
    expect(await rows().kept(again.id, again.planNumber)).toEqual(kept('first'));
    expect(await rows().keep(scene.first, row, kept('of a zombie'))).toBe(false);
    expect(await rows().claim(scene.second, [again], 0)).toBe(1);
    expect(await rows().keep(scene.first, row, kept('of a zombie'))).toBe(false);
    expect(await rows().keep(scene.second, again, kept('second'))).toBe(true);
    expect(await rows().keep(scene.first, { ...row, version: again.version }, kept('of a zombie'))).toBe(false);
    expect(await rows().kept(row.id, row.planNumber)).toEqual(kept('second'));
  });

  test('ids outlive a retry and are gone for an edited plan', async () => {
    const row = await scene.claimed();
    await rows().keep(scene.first, row, kept('17'));
    const busy = { kind: 'retry', reason: 'busy' } as const;
    await rows().writeBack(scene.first, [{ ...result(row, busy, retry(0)), hasKept: true }]);
    const waits = await scene.read(row.id);
    expect(await rows().kept(row.id, waits.planNumber)).toEqual(kept('17'));
    await scene.world.edit(row.id, { payload: { url: 'http://127.0.0.1/2', body: 2 } });
    const edited = await scene.read(row.id);
    expect(await rows().kept(row.id, edited.planNumber)).toBeUndefined();
    expect(await rows().claim(scene.first, [edited], 0)).toBe(1);
    expect(await rows().keep(scene.first, edited, kept('18'))).toBe(true);
    expect(await rows().kept(row.id, edited.planNumber)).toEqual(kept('18'));
    expect(await rows().kept(row.id, row.planNumber)).toBeUndefined();
  });

  test('ids go with the outcome that ends the message, and with none that does not', async () => {
    const failed = { state: 'failed', inDoubt: false, error: 'no' } as const;
    const uncertain = { state: 'uncertain', inDoubt: true, error: 'who knows' } as const;
    const no = { kind: 'rejected', reason: 'no' } as const;
    for (const [outcome, settlement, stays] of [
      [{ kind: 'delivered' }, delivered('1'), false],
      [no, failed, false],
      [no, uncertain, true],
    ] as const) {
      const row = await scene.claimed();
      await rows().keep(scene.first, row, kept('17'));
      await rows().writeBack(scene.first, [{ ...result(row, outcome, settlement), hasKept: true }]);
      expect(await rows().kept(row.id, row.planNumber)).toEqual(stays ? kept('17') : undefined);
    }
  });

  test('an outcome whose claim was lost leaves the ids of the message that goes on', async () => {
    const row = await scene.claimed();
    await rows().keep(scene.first, row, kept('first'));
    const again = await scene.recovered(row);
    expect(await rows().claim(scene.second, [again], 0)).toBe(1);
    const failed = { state: 'failed', inDoubt: false, error: 'no' } as const;
    await rows().writeBack(scene.first, [
      { ...result(row, { kind: 'rejected', reason: 'no' }, failed), hasKept: true },
    ]);
    expect(await rows().kept(row.id, row.planNumber)).toEqual(kept('first'));
  });
}
