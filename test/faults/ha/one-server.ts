import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { migrate } from '../../../connectors/mysql/schema/migrate';
import type { NativeStack } from '../../../deploy/stack/native-stack';

/** No topology has it. */
export const OLD_CHANNEL = '_old';

/** What a server of `up --ha` of earlier versions had of the other one. */
const MASTER_OF_A_PAIR = [
  'SET PERSIST_ONLY offline_mode = ON',
  'SET PERSIST_ONLY super_read_only = ON',
  "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = 1, SOURCE_AUTO_POSITION = 1",
  'CREATE SCHEMA downspout_pair',
];

/** Starts one server that was a master of a pair, and leaves a row in it that no binlog has any more, as after weeks of use. */
export async function fillOneServer(one: NativeStack): Promise<void> {
  const { ADMIN_DATABASE_URL = '' } = await one.up(() => undefined);
  await migrate(ADMIN_DATABASE_URL);
  const connection = await createConnection(ADMIN_DATABASE_URL);
  try {
    await connection.query(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('old', '${OLD_CHANNEL}', '{}', 4000000000000)`,
    );
    for (const statement of MASTER_OF_A_PAIR) await connection.query(statement);
    await connection.query('FLUSH BINARY LOGS');
    const [logs] = await connection.query<RowDataPacket[]>('SHOW BINARY LOGS');
    await connection.query('PURGE BINARY LOGS TO ?', [logs.at(-1)?.['Log_name']]);
  } finally {
    connection.destroy();
  }
}
