import type { SendRows } from '../../bolts/send-rows';
import { instructionOf } from '../../connectors/mysql/sql/failures';
import { InParts } from '../../connectors/mysql/sql/in-parts';
import { PartlyClaimed } from '../../topology/core/errors';
import type { MemoryRow } from '../support/mysql/memory-table';
import { World } from './world';

/** Rows that the database refuses to claim. */
class Refusals {
  readonly claim = new Set<number>();
  /** Of the attempts to write each refused row, when they were made. */
  readonly tries: number[] = [];

  constructor(private readonly errno: number) {}

  /** The table as MySQL's is: what it refuses is found in parts. A wait takes a second. */
  readonly around = (own: SendRows): SendRows => {
    const clock = { monotonic: () => this.world.clock.monotonic() };
    const pool = { clock, rows: async (statement: string) => this.accountsIn(statement) as never };
    const claims = new InParts(pool);
    return {
      ...own,
      claim: async (session, rows, ahead) => {
        let won = 0;
        const refused = await claims.write(rows, async (part) => {
          await this.refuse(part, this.claim);
          won += await own.claim(session, part, ahead);
        });
        if (refused.some(({ again }) => !again)) throw new PartlyClaimed('refused', won);
        return won;
      },
    };
  };

  world!: World;

  private accountsIn(statement: string) {
    const [, ids = ''] = statement.split(' IN ');
    return [...ids.matchAll(/\d+/g)].map(([id]) => [Number(id), this.world.database.rows.get(Number(id))?.account]);
  }

  private async refuse(part: readonly { readonly id: number }[], refused: ReadonlySet<number>): Promise<void> {
    const isRefused = part.some(({ id }) => refused.has(id));
    if (!isRefused) return;
    this.tries.push(this.world.clock.now());
    if (this.errno === 1205) await this.world.clock.sleep(1_000);
    throw instructionOf(Object.assign(new Error('no'), { errno: this.errno, sqlState: 'HY000' }));
  }
}

let world: World;
afterEach(() => world.close());

async function open(refusals: Refusals): Promise<void> {
  world = new World({}, undefined, refusals.around);
  refusals.world = world;
  await world.open();
}

/** Ten messages a second of fifty accounts, and what becomes due again. @returns how late each was, milliseconds, ascending */
async function steady(
  forMs: number,
  again: readonly MemoryRow[] = [],
): Promise<{ others: MemoryRow[]; late: number[] }> {
  const others: MemoryRow[] = [];
  for (let at = 0; at < forMs; at += 100) {
    const other = world.row(500, { account: `a${(at / 100) % 50}`, host: `h${(at / 100) % 50}` });
    others.push(other);
    world.emit(other);
    await world.advance(100);
    // As reconcile does.
    if (at % 2_000 === 0) world.emit(...again.filter((row) => world.state(row) === 'scheduled'));
  }
  const late = others.flatMap((one) => world.begun(one).map((begun) => begun - one.dueAt)).toSorted((a, b) => a - b);
  return { others, late };
}

const p95 = (late: readonly number[]) => late[Math.floor(late.length * 0.95)];

describe.each([1062, 1452, 1644, 1205])('rows that the database refuses with error %i', (errno) => {
  test('to claim delay no others, and are tried ever more rarely', async () => {
    const refusals = new Refusals(errno);
    await open(refusals);
    const bad = [world.row(100, { account: 'bad' }), world.row(100, { account: 'bad' })];
    for (const { id } of bad) refusals.claim.add(id);
    world.emit(...bad);
    const { others, late } = await steady(120_000, bad);
    expect(late.length).toBeGreaterThan(others.length - 10);
    expect(p95(late)).toBeLessThan(100);
    expect(late.at(-1)).toBeLessThan(3_000);
    const last = refusals.tries.filter((at) => at > world.clock.now() - 30_000);
    expect(last.length).toBeLessThan(20);
    refusals.claim.clear();
    await steady(30_000, bad);
    expect(world.states(bad)).toEqual(['delivered']);
  });
});
