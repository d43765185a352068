import { UserError } from '../../../topology/core/errors';
import type { MessageId, MessageState } from '../../../topology/message';
import { integer, list, text } from '../sql/literals';
import type { Sql } from '../sql/sql';
import type { Target } from './input';

/** A message as its row is now, locked until the end of the transaction. */
export interface Standing {
  readonly id: MessageId;
  readonly account: string;
  readonly dedupeKey: string | null;
  readonly channel: string;
  readonly state: MessageState;
  readonly version: number;
  /** Epoch milliseconds, like `updatedAt`. */
  readonly dueAt: number;
  readonly inDoubt: boolean;
  readonly updatedAt: number;
  readonly worker: string;
  /** As the database keeps it. */
  readonly payloadBytes: number;
}

/** No message has this id, so statements that name it are about no row. */
export const NO_MESSAGE: MessageId = Number.MAX_SAFE_INTEGER;

export type KeyTarget = Exclude<Target, { readonly id: MessageId }>;

type StandingColumns = readonly [
  id: number | string,
  account: string,
  dedupeKey: string | null,
  channel: string,
  state: MessageState,
  version: number | string,
  dueAt: number | string,
  inDoubt: number | string,
  updatedAt: string,
  worker: string | null,
  payloadBytes: number | string,
];

/**
 * Locks the rows in ascending order of their ids, so that what was read holds until the end of the transaction. The index
 * is forced because in a REPEATABLE READ transaction a scan would lock every row that it passes.
 *
 * In such a transaction of the caller's a row that is not there is not asked for with a lock: that would lock the gap where it would
 * be, and the INSERTs of others would wait for the caller's commit. A key is looked for among what the transaction sees, so a message
 * that was scheduled after the transaction's first read is scheduled after this call, as for each of its SELECTs.
 */
export async function lock(sql: Sql, targets: readonly Target[]): Promise<(Standing | null)[]> {
  const byName = new Map<string, Standing>();
  const find = async (index: string, condition: string) => {
    const rows = await sql.rows<StandingColumns>(
      'SELECT m.id, m.account, m.dedupe_key, m.channel, m.state, m.version, m.due_at, m.in_doubt, ' +
        "UNIX_TIMESTAMP(m.updated_at), COALESCE(CONCAT(w.host, ':', w.pid), LOWER(HEX(m.claim))), JSON_STORAGE_SIZE(m.payload) " +
        `FROM scheduled_messages m FORCE INDEX (${index}) LEFT JOIN workers w ON w.session=m.claim ` +
        `WHERE ${condition} ORDER BY m.id FOR UPDATE OF m`,
    );
    for (const row of rows) {
      const [id, account, dedupeKey, channel, state, version, dueAt, inDoubt, updatedAt, worker, bytes] = row;
      const standing = {
        id: Number(id),
        account,
        dedupeKey,
        channel,
        state,
        version: Number(version),
        dueAt: Number(dueAt),
        inDoubt: Number(inDoubt) !== 0,
        updatedAt: Math.floor(Number(updatedAt) * 1000),
        worker: worker ?? '',
        payloadBytes: Number(bytes),
      };
      byName.set(nameOf(standing), standing);
      if (dedupeKey !== null) byName.set(nameOf({ account, dedupeKey }), standing);
    }
  };
  const ids = targets.flatMap((target) => ('id' in target ? [target.id] : []));
  const keys = targets.flatMap((target) => ('id' in target ? [] : [target]));
  if (sql.locksGaps === true) {
    const there = [...new Set([...(await drawn(sql, ids)), ...(await idsSeen(sql, keys))])];
    if (there.length > 0) await find('PRIMARY', `m.id IN ${list(there, integer)}`);
  } else {
    if (ids.length > 0) await find('PRIMARY', `m.id IN ${list(ids, integer)}`);
    if (keys.length > 0) await find('dedupe', `(m.account, m.dedupe_key) IN ${list(keys, keyLiteral)}`);
  }
  return targets.map((target) => byName.get(nameOf(target)) ?? null);
}

/**
 * The ids that have been drawn already. A REPEATABLE READ transaction that looks for a greater one locks the end of the
 * table, and every INSERT waits for it. The counter must not come from the server's cache, nor from the state that the
 * transaction reads.
 */
async function drawn(sql: Sql, ids: readonly MessageId[]): Promise<readonly MessageId[]> {
  if (ids.length === 0) return ids;
  const [[expiry] = [86_400]] = await sql.rows<[number | string]>('SELECT @@SESSION.information_schema_stats_expiry');
  await sql.run('SET SESSION information_schema_stats_expiry=0');
  const [[next] = [null]] = await sql.rows<[number | string | null]>(
    "SELECT auto_increment FROM information_schema.tables WHERE table_schema=DATABASE() AND table_name='scheduled_messages'",
  );
  await sql.run(`SET SESSION information_schema_stats_expiry=${integer(Number(expiry))}`);
  return next === null ? ids : ids.filter((id) => id < Number(next));
}

/** The messages of these keys that the transaction sees. Without a lock; SERIALIZABLE locks what it reads all the same, as it promises. */
export async function idsSeen(sql: Sql, keys: readonly KeyTarget[]): Promise<readonly MessageId[]> {
  if (keys.length === 0) return [];
  const rows = await sql.rows<[number | string]>(
    `SELECT id FROM scheduled_messages FORCE INDEX (dedupe) WHERE (account, dedupe_key) IN ${list(keys, keyLiteral)}`,
  );
  return rows.map(([id]) => Number(id));
}

function keyLiteral({ account, dedupeKey }: KeyTarget): string {
  return `(${text(account)},${text(dedupeKey)})`;
}

/** @throws UserError when two targets name the same message; `verb` begins its text */
export async function lockOnce(sql: Sql, targets: readonly Target[], verb: string): Promise<(Standing | null)[]> {
  const standing = await lock(sql, targets);
  const there = standing.filter((row) => row !== null);
  if (unique(standing).length < there.length) throw new UserError(`${verb}: the same message is named twice`);
  return standing;
}

/** The same for two targets exactly if they name the same message in the same way. */
export function nameOf(target: Target): string {
  return 'id' in target ? String(target.id) : JSON.stringify([target.account, target.dedupeKey]);
}

export function unique(rows: readonly (Standing | null)[]): Standing[] {
  return [...new Map(rows.flatMap((row) => (row === null ? [] : [[row.id, row] as const]))).values()];
}
