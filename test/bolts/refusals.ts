import type { SendRows } from '../../bolts/send-rows';
import { instructionOf } from '../../connectors/mysql/sql/failures';
import { InParts } from '../../connectors/mysql/sql/in-parts';
import { PartlyClaimed } from '../../topology/core/errors';
import type { World } from './world';

/** What waits for a lock, and what does not wait for it. */
const LOCKED = [1205, 3572];

/** Rows that the database refuses to write, by what is done with them. */
export class Refusals {
  readonly claim = new Set<number>();
  readonly writeBack = new Set<number>();
  readonly release = new Set<number>();
  /** Of the attempts to write each refused row, when they were made. */
  readonly tries: number[] = [];
  /** Write-backs that had an effect. */
  readonly written: number[] = [];
  /** Every write of a result fails. */
  isAway = false;
  statements = 0;
  /** Statements that wait now, and at most since somebody set it. */
  private waiting = 0;
  mostWaiting = 0;
  world!: World;

  constructor(private readonly errno: number) {}

  /** The table as MySQL's is: what it refuses is found in parts. A wait takes a second. */
  readonly around = (own: SendRows): SendRows => {
    const clock = { monotonic: () => this.world.clock.monotonic() };
    const pool = { clock, rows: async (statement: string) => this.accountsIn(statement) as never };
    const [claims, results] = [new InParts(pool), new InParts(pool, { byAccount: true })];
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
      writeBack: async (session, all) => {
        const refused = await results.write(all, async (part) => {
          this.fail();
          await this.refuse(part, this.writeBack);
          await own.writeBack(session, part);
          this.written.push(part.length);
        });
        return refused.map(({ row, again, wait }) => ({ id: row.id, reason: 'refused', again, ...(wait && { wait }) }));
      },
      journal: async (session, all) => {
        this.fail();
        await own.journal(session, all);
      },
      writeAlone: async (session, result, release) => {
        this.fail();
        const { poisoned } = this.world.database;
        if (LOCKED.includes(this.errno)) await this.refuse([result], this.writeBack);
        if (!this.writeBack.has(result.id)) return own.writeAlone(session, result, release);
        await this.refuse([result], this.release);
        this.tries.push(this.world.clock.now());
        poisoned.add(result.id);
        return own.writeAlone(session, result, release).finally(() => poisoned.delete(result.id));
      },
    };
  };

  private accountsIn(statement: string) {
    const [, ids = ''] = statement.split(' IN ');
    return [...ids.matchAll(/\d+/g)].map(([id]) => [Number(id), this.world.database.rows.get(Number(id))?.account]);
  }

  private fail(): void {
    if (this.isAway) throw instructionOf(Object.assign(new Error('away'), { errno: 1146, sqlState: 'HY000' }));
  }

  private async refuse(part: readonly { readonly id: number }[], refused: ReadonlySet<number>): Promise<void> {
    this.statements++;
    const isRefused = part.some(({ id }) => refused.has(id));
    if (!isRefused) return;
    this.tries.push(this.world.clock.now());
    if (this.errno === 1205) {
      this.mostWaiting = Math.max(this.mostWaiting, ++this.waiting);
      await this.world.clock.sleep(1_000);
      this.waiting--;
    }
    throw instructionOf(Object.assign(new Error('no'), { errno: this.errno, sqlState: 'HY000' }));
  }
}
