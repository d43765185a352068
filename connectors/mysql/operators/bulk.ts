import type { MessageId, MessageState } from '../../../topology/message';
import type { Author } from '../audit/author';
import { checkResolution, type Decision } from '../client/input';
import { getAll, type Message } from '../client/messages';
import { mayRedrive, mayResolve, redriveAll, resolveAll } from '../client/resolve';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import { type MessageFilter, type SeenVersion, search } from './search';
import { type BulkCounts, changeAll, type RowWrite } from './small-transactions';

/** Messages that a filter selects. */
export interface Selection {
  readonly count: number;
  /** The newest of them; with `isFirst` those that are due first. */
  readonly sample: readonly Message[];
  readonly isFirst?: boolean;
}

const SAMPLE = 5;

/**
 * Changes many messages at once: those that a filter selects among the ones that need a person. It goes from the newest to
 * the oldest in small transactions, and rests after each. An
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
    const write = async (sql: Sql, rows: readonly SeenVersion[]) => {
      const answers = await redriveAll(sql, this.author, rows.map(targetOf));
      return answers.filter(({ result }) => result === 'redriven').length;
    };
    return this.each({ ...filter, state: 'failed' }, report, { write, check: mayRedrive });
  }

  /** Settles uncertain messages as a person decided. Needs the workers' user. */
  resolve(
    filter: Omit<MessageFilter, 'state'>,
    decision: Decision,
    report?: (counts: BulkCounts) => void,
  ): Promise<BulkCounts> {
    const write = async (sql: Sql, rows: readonly SeenVersion[]) => {
      const resolutions = rows.map(({ id }) => checkResolution({ ...decision, id }));
      const answers = await resolveAll(sql, this.author, resolutions);
      return answers.filter(({ result }) => result === 'resolved').length;
    };
    const check = (sql: Sql) => mayResolve(sql, decision.as);
    return this.each({ ...filter, state: 'uncertain' }, report, { write, check });
  }

  private each(
    filter: MessageFilter & { readonly state: MessageState },
    report: ((counts: BulkCounts) => void) | undefined,
    change: RowWrite<SeenVersion>,
  ): Promise<BulkCounts> {
    return changeAll(this.pool, this.steps(filter), filter.state, change, report);
  }

  private async *steps(filter: MessageFilter): AsyncGenerator<readonly SeenVersion[]> {
    for await (const { seen } of search(this.pool, filter)) yield seen;
  }
}

function targetOf({ id }: SeenVersion): { readonly id: MessageId } {
  return { id };
}
