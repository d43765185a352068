import { AccountSlots, Origin, Resource } from '../../../bolts/slots/resources';
import { Suspects } from '../../../bolts/slots/suspects';
import type { MemoryRow } from '../../support/mysql/memory-table';
import { World } from '../world';

describe('Suspects', () => {
  const settings = { concurrency: 64, claimBatch: 500, maxHeld: 5_000 };
  let alive: World;

  /** Has the worker end with what is claimed and not written, as a spout finds it, and another one begin. */
  async function end(session: number): Promise<void> {
    await alive.close();
    const { database } = alive;
    const lost = [...database.rows.values()].filter(({ state }) => state === 'sending');
    const rows = lost.map(({ id, version }) => ({ id, version, session: alive.session }));
    await database.openRows().recover(rows, 0);
    alive = await new World({ settings, session: `${session}`.padStart(32, 'b') }, alive).open();
  }

  it('1. a row that ends its workers is soon claimed alone. 2. a crowd that was claimed with it is soon sent', async () => {
    alive = await new World({ settings }).open();
    const rows = Array.from({ length: 1_000 }, (_, n) => alive.row(100, { account: `a${n % 50}`, host: `h${n % 20}` }));
    for (const row of rows) Object.assign(row, { attempts: 2, recoveries: 2, inDoubt: true });
    const [deadly] = rows.splice(500, 1) as [MemoryRow];
    alive.channel.script(deadly.id, ...Array.from({ length: 20 }, () => ({ outcome: 'hangs' as const })));
    let tenths = 0;
    let ends = 0;
    for (; deadly.state !== 'uncertain' && tenths < 600; tenths++) {
      if (tenths % 10 === 0) alive.emit(...[deadly, ...rows].filter((row) => row.state === 'scheduled'));
      await alive.advance(100);
      if (alive.begun(deadly).length > ends) await end(++ends);
    }
    // It had ended two.
    expect([deadly.state, deadly.recoveries, ends]).toEqual(['uncertain', 12, 10]);
    expect(Math.max(...rows.map(({ recoveries }) => recoveries))).toBeLessThanOrEqual(4);
    alive.emit(...rows.filter((row) => row.state === 'scheduled'));
    await alive.advance(10_000);
    expect(alive.states(rows)).toEqual(['delivered']);
    // One by one they would take a tenth of a second each.
    expect(tenths).toBeLessThan(250);
    await alive.close();
  });

  it('3. no account and no origin has more of them than it leaves free', () => {
    const suspects = new Suspects(64);
    const all = new Resource(64);
    const accounts = Array.from({ length: 20 }, (_, n) => new AccountSlots(`a${n}`, 64, 64, all));
    const origins = Array.from({ length: 20 }, (_, n) => new Origin(`o${n}`, 64));
    const [account, origin] = [accounts[0] as AccountSlots, origins[0] as Origin];
    const take = (lanes: readonly { readonly account: AccountSlots; readonly origin: Origin }[]) =>
      lanes.flatMap((lane) => {
        const row = { recoveries: 2, lane };
        const hasRoom = suspects.fits(row) && suspects.hasShare(row);
        if (hasRoom) suspects.take(row);
        return hasRoom ? [row] : [];
      });
    // A half of sixteen.
    const first = take(origins.map((one) => ({ account, origin: one })));
    expect(first).toHaveLength(8);
    for (const row of first) suspects.release(row);
    expect(take(accounts.map((one) => ({ account: one, origin })))).toHaveLength(8);
    expect(take(origins.map((one) => ({ account, origin: one })))).toHaveLength(4);
  });
});
