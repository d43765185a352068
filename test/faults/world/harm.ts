import { systemClock } from '../../../topology/core/clock';
import { HOSTILE_ACCOUNT, type HostileTenant, queries } from '../../support/tenants/hostile-tenants';
import { HangingHosts, type Manner } from '../../support/tenants/hosts';
import { type Arena, HARM_PATH } from './arena';

/** Rows of one statement, and bytes of their payloads. */
const PIECE_ROWS = 500;
const PIECE_BYTES = 8_000_000;
/** Bytes that any machine inserts in a second. */
const INSERT_BYTES = 15_000_000;
const INSERT_ROWS = 4_000;
const KNOWN_AHEAD_MS = 2_500;

/**
 * Inserts the messages of a hostile tenant, lets it do harm for so long after their instant, and removes them again.
 * @throws Error when more messages failed than were to be refused: what is refused harms nobody
 */
export async function harm(arena: Arena, tenant: HostileTenant, lastsMs: number): Promise<void> {
  const hanging = await HangingHosts.start(1_000);
  const shared = { urlOf: (manner: Manner) => `${arena.receiver.url}${HARM_PATH}${queries[manner]}` };
  const payloadOf = (n: number) => JSON.stringify(tenant.payloadOf(n, { hanging, shared }));
  const own = `account = '${HOSTILE_ACCOUNT}'`;
  const bytes = payloadOf(tenant.messages - 1).length;
  const rowsOfPiece = Math.max(1, Math.min(PIECE_ROWS, Math.floor(PIECE_BYTES / bytes)));
  const insertMs = (tenant.messages * 1_000) / Math.min(INSERT_ROWS, INSERT_BYTES / bytes);
  const dueAt = Math.ceil(systemClock.now() + insertMs + KNOWN_AHEAD_MS);
  try {
    for (let from = 0; from < tenant.messages; from += rowsOfPiece) {
      const count = Math.min(rowsOfPiece, tenant.messages - from);
      const rows = Array.from(
        { length: count },
        (_, n) => `('${HOSTILE_ACCOUNT}', 'webhook', '${payloadOf(from + n)}', ${dueAt})`,
      );
      await arena.sql.run(
        `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ${rows.join(',')}`,
      );
    }
    await systemClock.sleep(dueAt + lastsMs - systemClock.now());
    const [[failed, why] = [0, null]] = await arena.sql.rows<[number | string, string | null]>(
      `SELECT COUNT(*), MAX(last_error) FROM scheduled_messages WHERE ${own} AND state = 'failed'`,
    );
    if (Number(failed) > (tenant.refused ?? 0))
      throw new Error(`${failed} messages of the tenant failed, and harmed nobody: ${why}`);
  } finally {
    await arena.sql.run(
      `DELETE FROM delivery_attempts WHERE message_id IN (SELECT id FROM scheduled_messages WHERE ${own})`,
    );
    for (let removed = 1; removed > 0; ) {
      const { affectedRows } = await arena.sql.run(`DELETE FROM scheduled_messages WHERE ${own} LIMIT ${PIECE_ROWS}`);
      removed = affectedRows;
    }
    await hanging.close();
  }
}
