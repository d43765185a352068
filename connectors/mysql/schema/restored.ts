import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { addressOf } from '../sql/address';
import { instructionOf } from '../sql/failures';
import { NOW_MICROSECONDS } from '../sql/literals';

const CONNECT_TIMEOUT_MS = 5_000;
/** A statement that waits for a table makes all others wait behind it. */
const TABLE_WAIT_SECONDS = 10;

/**
 * The plan number that follows, for an UPDATE of `scheduled_messages`: one more, or the least of a restored database. A
 * column's name may carry its table's alias.
 */
export function nextPlanNumber(column: string): string {
  return `GREATEST(${column}+1, DEFAULT(${column}))`;
}

/**
 * Makes what is planned in a restored database unmistakable. The database that is gone may have used ids and plan numbers
 * that the backup does not know, and receivers drop a second message that has the idempotency key of one of those.
 *
 * New ids continue at the microseconds since 1970, new plan numbers at the seconds, by the database's clock: whatever was
 * lost, it had less, also if it had itself been restored from the same backup. The number stands in the table as the
 * default of its column, so it reaches rows that plain SQL inserts too. Ids of attempts continue in the same way, so that
 * a reader of outcomes that has read more than the backup holds misses none. A plan that stays as it is keeps its key.
 *
 * @param adminUrl of a user who may alter tables: workers and applications may not
 * @throws Unavailable when the tables are locked; then nothing is lost by trying again
 */
export async function setApartFromLost(adminUrl: string): Promise<void> {
  let connection: Connection | undefined;
  try {
    connection = await createConnection({ ...addressOf(adminUrl), connectTimeout: CONNECT_TIMEOUT_MS });
    await connection.query(`SET SESSION lock_wait_timeout = ${TABLE_WAIT_SECONDS}`);
    const [[now]] = await connection.query<RowDataPacket[]>(
      `SELECT CAST(${NOW_MICROSECONDS} AS CHAR) AS id, CAST(UNIX_TIMESTAMP() AS CHAR) AS plan`,
    );
    const [id, plan] = [Number(now?.['id']), Number(now?.['plan'])];
    await connection.query(
      `ALTER TABLE scheduled_messages ALTER COLUMN plan_number SET DEFAULT ${plan}, AUTO_INCREMENT=${id}, ALGORITHM=INPLACE, LOCK=NONE`,
    );
    await connection.query(`ALTER TABLE delivery_attempts AUTO_INCREMENT=${id}, ALGORITHM=INPLACE, LOCK=NONE`);
  } catch (error) {
    throw instructionOf(error);
  } finally {
    connection?.destroy();
  }
}
