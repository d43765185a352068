import type { PortsWorld } from './ports-world';
import { Scene } from './scene';

const HOUR_MS = 3_600_000;

/** What bolts may count on where they make messages ready before their instant. */
export function readyRowsBattery(open: () => Promise<PortsWorld>): void {
  const scene = new Scene(open);
  const ready = () => scene.world.readyRows;
  const contentHash = 'ab'.repeat(32);
  const kept = (container: string) => ({ ids: { container }, contentHash });
  const keptOf = ({ id, planNumber }: { readonly id: number; readonly planNumber: number }) =>
    scene.world.sendRows.kept(id, planNumber);
  const waiting = async (wakeInMs = HOUR_MS, more: { account?: string; payload?: unknown } = {}) =>
    scene.read(await scene.insert(scene.now + wakeInMs, more));

  test('what wakes between two instants is found, by wake within a shard, a page after another', async () => {
    const account = `of-${scene.first}`;
    const at = 2 * HOUR_MS;
    const rows = [await waiting(at + 2, { account }), await waiting(at, { account }), await waiting(at, { account })];
    await waiting(at + 3, { account });
    await waiting(at - 1, { account });
    const range = { from: scene.now + at, below: scene.now + at + 3, limit: 2 };
    const found = async (after: Parameters<ReturnType<typeof ready>['upcoming']>[1]['after']) =>
      (await ready().upcoming('webhook', { ...range, after })).filter((row) => row.account === account);
    const first = await found(new Map());
    expect(first.map(({ id }) => id)).toEqual([rows[1]?.id, rows[2]?.id]);
    expect(first[0]).toMatchObject({ account, version: 1, wakeAt: scene.now + at });
    const [, last] = first;
    const second = await found(new Map([[last?.shard ?? -1, last ?? { id: 0, wakeAt: 0 }]]));
    expect(second.map(({ id }) => id)).toEqual([rows[0]?.id]);
    expect(await ready().upcoming('another', { ...range, after: new Map() })).toEqual([]);
  });

  test('A message is made ready once: the first that says so, of one plan number with one content', async () => {
    const row = await waiting();
    expect(await Promise.all([ready().begin(row, contentHash), ready().begin(row, contentHash)])).toEqual(
      expect.arrayContaining([true, false]),
    );
    expect(await keptOf(row)).toEqual({ ids: {}, contentHash });
    expect(await ready().keep(row, kept('17'))).toBe(true);
    expect(await ready().begin(row, contentHash)).toBe(false);
    expect(await keptOf(row)).toEqual(kept('17'));
    expect(await scene.read(row.id)).toEqual(row);
    expect(await ready().begin(row, 'cd'.repeat(32))).toBe(true);
    expect(await keptOf(row)).toEqual({ ids: {}, contentHash: 'cd'.repeat(32) });
  });

  test('What is kept without a claim replaces nothing that may be published', async () => {
    const row = await waiting(0);
    expect(await ready().begin(row, contentHash)).toBe(true);
    expect(await ready().keep(row, kept('17'))).toBe(true);
    expect(await scene.world.sendRows.claim(scene.first, [row], 0)).toBe(1);
    const claimed = await scene.read(row.id);
    expect(await keptOf(claimed)).toEqual(kept('17'));
    expect(await ready().keep(claimed, kept('late'))).toBe(false);
    expect(await ready().begin(claimed, 'cd'.repeat(32))).toBe(false);
    const doubted = await scene.recovered(claimed);
    expect(doubted.inDoubt).toBe(true);
    expect(await ready().keep(doubted, kept('late'))).toBe(false);
    expect(await ready().begin(doubted, 'cd'.repeat(32))).toBe(false);
    expect(await keptOf(doubted)).toEqual(kept('17'));
  });

  test('an edit and a cancel end what is being made ready, and an edited plan begins anew', async () => {
    const row = await waiting();
    await ready().begin(row, contentHash);
    await ready().keep(row, kept('17'));
    await scene.world.edit(row.id, { payload: { url: 'http://127.0.0.1/2', body: 2 } });
    const edited = await scene.read(row.id);
    expect(await ready().keep(row, kept('of the old plan'))).toBe(false);
    expect(await ready().begin(row, contentHash)).toBe(false);
    expect(await keptOf(edited)).toBeUndefined();
    expect(await ready().begin(edited, contentHash)).toBe(true);
    await scene.world.cancel(row.id);
    expect(await ready().keep(edited, kept('of what was canceled'))).toBe(false);
    expect(await keptOf(edited)).toEqual({ ids: {}, contentHash });
  });

  test('a row that was overwritten since it was read, or that another transaction has locked, is not begun', async () => {
    const row = await waiting();
    await scene.world.whileLocked(row.id, async () => {
      expect(await ready().begin(row, contentHash)).toBe(false);
    });
    await scene.world.overwrite(row.id, { url: 'http://127.0.0.1/3' });
    expect(await ready().begin(row, contentHash)).toBe(false);
    expect(await ready().begin(await scene.read(row.id), contentHash)).toBe(true);
  });
}
