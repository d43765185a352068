import { isOutOfTime } from '../sql/failures';
import type { Pool } from '../sql/pool';

/** A number of messages. An estimate is the optimizer's, from samples of the index. */
export interface Figure {
  readonly count: number;
  readonly exact: boolean;
}

/** Messages that an index has together. */
export interface IndexedRows {
  readonly index: 'open_by_wake' | 'needs_person' | 'suspended_by_due' | 'late_by_due';
  readonly where: string;
}

/** Every figure is read within this time or is an estimate. */
const COUNT_TIMEOUT_MS = 300;

/** Counts messages within a moment, however many there are. */
export class QuickCount {
  constructor(private readonly pool: Pool) {}

  /** Exact, or an estimate where counting takes too long. */
  async figure(rows: IndexedRows): Promise<Figure> {
    const counted = await this.within<[number]>(`COUNT(*) ${fromOf(rows)}`);
    const [count] = counted?.[0] ?? [];
    return count === undefined ? { count: await this.estimate(rows), exact: false } : { count, exact: true };
  }

  /**
   * How many rows the optimizer expects, of the table unless others are named. It looks into the index for each range, which
   * it does not do for an index that is forced, or for so many shards without being told.
   */
  async estimate(rows?: IndexedRows): Promise<number> {
    const of = rows === undefined ? '' : `USE INDEX (${rows.index}) WHERE ${rows.where}`;
    const plan = await this.pool.rows<(string | number | null)[]>(
      `EXPLAIN FORMAT=TRADITIONAL SELECT /*+ SET_VAR(eq_range_index_dive_limit=0) */ 1 FROM scheduled_messages ${of}`,
    );
    return Number(plan[0]?.[9] ?? 0);
  }

  /**
   * Null when it takes too long. Counted is what is there, committed or not: to find out what each row was like at one
   * moment costs minutes while rows are being inserted.
   */
  async within<T extends readonly unknown[]>(select: string): Promise<T[] | null> {
    try {
      return await this.pool.use(async (sql) => {
        await sql.run('SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED');
        return sql.rows<T>(`SELECT /*+ MAX_EXECUTION_TIME(${COUNT_TIMEOUT_MS}) */ ${select}`);
      });
    } catch (error) {
      if (isOutOfTime(error)) return null;
      throw error;
    }
  }
}

/** The rows, read from their index. */
export function fromOf({ index, where }: IndexedRows): string {
  return `FROM scheduled_messages FORCE INDEX (${index}) WHERE ${where}`;
}
