import { UserError } from '../../../topology/core/errors';
import type { MessageId } from '../../../topology/message';
import { integer } from '../sql/literals';
import type { Pool, Sql } from '../sql/pool';

/** What became of a message, as its row says now. */
export interface MessageOutcome {
  readonly id: MessageId;
  readonly account: string;
  readonly channel: string;
  readonly dedupeKey: string | null;
  readonly state: 'delivered' | 'failed' | 'uncertain';
  /** Epoch milliseconds. */
  readonly dueAt: number;
  readonly deliveredAt: number | null;
  readonly receipt: string | null;
  readonly lastError: string | null;
}

export interface OutcomePage {
  readonly outcomes: readonly MessageOutcome[];
  /** Keep it, and give it as `since` for the next page: also when this page is empty. */
  readonly next: string;
  /** More may be ready now. */
  readonly more: boolean;
}

/** How long an INSERT may take from drawing its ids to writing its first row, seconds. */
const SETTLED = 2;

/**
 * A page of outcomes: every message that the workers brought to an end, at least once, in the order of the ledger's ids,
 * without gaps.
 *
 * Ids are drawn when an attempt is written and become visible when its transaction commits, which can be in another order:
 * a worker may stand still between the two for any time. To go on past such an id would lose it. So the page first reads
 * the ids as they are, committed or not (READ UNCOMMITTED), then those that are committed, and ends before the first that
 * is not. One case is left, an INSERT that drew its ids and has not written its first row while a later one is
 * committed already; rows younger than two seconds are therefore left for the next page.
 *
 * A message that is canceled has no attempt and is not here: whoever cancels is told.
 *
 * @param since `next` of the page before; from the beginning when it is not given
 */
export function outcomesSince(pool: Pool, since: string | undefined, limit: number): Promise<OutcomePage> {
  const after = since === undefined ? 0 : Number(since);
  if (!Number.isSafeInteger(after) || after < 0)
    throw new UserError(`since: expected the \`next\` of a page, got ${JSON.stringify(since)}`);
  return pool.use(async (session) => {
    const drawn = await drawnIds(session, after, limit);
    const last = drawn.at(-1);
    if (last === undefined) return { outcomes: [], next: String(after), more: false };
    const committed = await read(session, after, last);
    const firstOpen = drawn.find((id) => !committed.has(id)) ?? Number.POSITIVE_INFINITY;
    const ready = [...committed.entries()].filter(([id]) => id < firstOpen);
    const outcomes = new Map(ready.flatMap(([, outcome]) => (outcome === null ? [] : [[outcome.id, outcome]])));
    return {
      outcomes: [...outcomes.values()],
      next: String(ready.at(-1)?.[0] ?? after),
      more: drawn.length === limit && firstOpen === Number.POSITIVE_INFINITY,
    };
  });
}

/** Ids of attempts that were written long enough ago, in order, up to the first that was not. */
async function drawnIds(session: Sql, after: number, limit: number): Promise<number[]> {
  await session.run('SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED');
  const rows = await session.rows<[number, number]>(
    `SELECT id, recorded_at < NOW(6) - INTERVAL ${SETTLED} SECOND FROM delivery_attempts ` +
      `WHERE id > ${integer(after)} ORDER BY id LIMIT ${integer(limit)}`,
  );
  const young = rows.findIndex(([, settled]) => settled !== 1);
  return (young === -1 ? rows : rows.slice(0, young)).map(([id]) => id);
}

type Columns = readonly [
  attempt: number,
  settled: string,
  id: number | null,
  account: string,
  channel: string,
  dedupeKey: string | null,
  state: string,
  dueAt: number,
  deliveredAt: number | null,
  receipt: string | null,
  lastError: string | null,
];

/** Committed attempts by id, in order, with the outcome of those that brought a message to its end. */
async function read(session: Sql, after: number, last: number): Promise<Map<number, MessageOutcome | null>> {
  const rows = await session.rows<Columns>(
    'SELECT a.id, a.settled, m.id, m.account, m.channel, m.dedupe_key, m.state, m.due_at, m.delivered_at, m.receipt, ' +
      'm.last_error FROM delivery_attempts a LEFT JOIN scheduled_messages m ON m.id=a.message_id ' +
      `WHERE a.id > ${integer(after)} AND a.id <= ${integer(last)} ORDER BY a.id`,
  );
  return new Map(
    rows.map(([attempt, settled, id, account, channel, dedupeKey, state, dueAt, deliveredAt, receipt, lastError]) => {
      const ended = id !== null && settled !== 'scheduled' && isEnd(state);
      return [
        attempt,
        ended ? { id, account, channel, dedupeKey, state, dueAt, deliveredAt, receipt, lastError } : null,
      ];
    }),
  );
}

function isEnd(state: string): state is MessageOutcome['state'] {
  return state === 'delivered' || state === 'failed' || state === 'uncertain';
}
