import type { MessageId } from '../../../topology/message';
import type { Author } from '../audit/author';
import { checkResolution, type Decision } from '../client/input';
import { getAll, type Message } from '../client/messages';
import { redriveAll, resolveAll } from '../client/resolve';
import { lock } from '../client/standing';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import { type MessageFilter, type SeenVersion, search } from './search';

/** Messages that a filter selects. */
export interface Selection {
  readonly count: number;
  /** The newest of them; with `isFirst` those that are due first. */
  readonly sample: readonly Message[];
  readonly isFirst?: boolean;
}

export interface BulkCounts {
  readonly done: number;
  /** Something else happened to them first. */
  readonly skipped: number;
}

const SAMPLE = 5;
/** In one transaction: small enough that neither workers nor a replication group wait for it. */
const ROWS_PER_TRANSACTION = 200;

/**
 * Changes many messages at once: those that a filter selects among the ones that need a person. It goes from the newest to
 * the oldest in small transactions, and rests after each for as long as it took, so that sending goes on beside it. An
 * interrupted run has changed the newer ones; what `report` throws interrupts it. A message that got another version since it was found is skipped: what was
 * decided about its earlier attempts says nothing of the later ones.
 */
export class Bulk {
  constructor(
    private readonly pool: Pool,
    private readonly author: Author,
  ) {}

  select(filter: MessageFilter, report: (count: number) => void = () => {}): Promise<Selection> {
    return this.pool.use(async (sql) => {
      let count = 0;
      const newest: MessageId[] = [];
      for await (const { seen } of search(sql, filter)) {
        count += seen.length;
        newest.push(...seen.slice(0, SAMPLE - newest.length).map(({ id }) => id));
        report(count);
      }
      const sample = await getAll(
        sql,
        newest.map((id) => ({ id })),
      );
      return { count, sample: sample.filter((message) => message !== null) };
    });
  }

  /** Schedules failed messages for now. */
  redrive(filter: Omit<MessageFilter, 'state'>, report?: (counts: BulkCounts) => void): Promise<BulkCounts> {
    return this.each({ ...filter, state: 'failed' }, report, async (sql, ids) => {
      const answers = await redriveAll(
        sql,
        this.author,
        ids.map((id) => ({ id })),
      );
      return answers.filter(({ result }) => result === 'redriven').length;
    });
  }

  /** Settles uncertain messages as a person decided. Needs the workers' user. */
  resolve(
    filter: Omit<MessageFilter, 'state'>,
    decision: Decision,
    report?: (counts: BulkCounts) => void,
  ): Promise<BulkCounts> {
    return this.each({ ...filter, state: 'uncertain' }, report, async (sql, ids) => {
      const resolutions = ids.map((id) => checkResolution({ ...decision, id }));
      const answers = await resolveAll(sql, this.author, resolutions);
      return answers.filter(({ result }) => result === 'resolved').length;
    });
  }

  private async each(
    filter: MessageFilter,
    report: (counts: BulkCounts) => void = () => {},
    change: (sql: Sql, ids: readonly MessageId[]) => Promise<number>,
  ): Promise<BulkCounts> {
    const { clock } = this.pool;
    const counts = { done: 0, skipped: 0 };
    for await (const { seen } of search(this.pool, filter)) {
      for (let from = 0; from < seen.length; from += ROWS_PER_TRANSACTION) {
        const some = seen.slice(from, from + ROWS_PER_TRANSACTION);
        const beganAt = clock.monotonic();
        const done = await this.pool.transaction(async (sql) => change(sql, await unchanged(sql, some)));
        counts.done += done;
        counts.skipped += some.length - done;
        report(counts);
        await clock.sleep(clock.monotonic() - beganAt);
      }
    }
    return counts;
  }
}

/** Locks the rows until the end of the transaction. */
async function unchanged(sql: Sql, seen: readonly SeenVersion[]): Promise<MessageId[]> {
  const standing = await lock(
    sql,
    seen.map(({ id }) => ({ id })),
  );
  return seen.flatMap(({ id, version }, index) => (standing[index]?.version === version ? [id] : []));
}
