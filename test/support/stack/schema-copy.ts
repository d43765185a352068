import { createHash } from 'node:crypto';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { JOURNAL, knownMigrations, migrate } from '../../../connectors/mysql/schema/migrate';
import { addressOf } from '../../../connectors/mysql/sql/address';

/** The database that others are copied from, by the migrations that made it: another run may share the server. */
function templateName(): string {
  const hashes = knownMigrations().map(({ hash }) => hash);
  return `template_${createHash('sha256').update(hashes.join()).digest('hex').slice(0, 16)}`;
}

/** Migrates the database that others are copied from. */
export function makeTemplate(adminUrl: string): Promise<readonly string[]> {
  return migrate(adminUrl.replace(/[^/]*$/, templateName()));
}

/** Makes a database as `migrate` leaves it, in a third of the time: each migration takes a commit, and there are many of them. */
export async function copySchema(adminUrl: string): Promise<void> {
  const { database, ...server } = addressOf(adminUrl);
  const template = templateName();
  const connection = await createConnection(server);
  try {
    const tables = await columnOf(connection, `SHOW TABLES FROM \`${template}\``, 0);
    await connection.query(`CREATE DATABASE \`${database}\` DEFAULT CHARACTER SET utf8mb4`);
    await connection.query(`USE \`${database}\``);
    // One that another table refers to may come after it.
    await connection.query('SET SESSION foreign_key_checks=0');
    for (const table of tables) {
      const [create = ''] = await columnOf(connection, `SHOW CREATE TABLE \`${template}\`.\`${table}\``, 1);
      await connection.query(create);
    }
    await connection.query(`INSERT INTO ${JOURNAL} SELECT * FROM \`${template}\`.${JOURNAL}`);
    await connection.query('INSERT INTO deployment (id) VALUES (RANDOM_BYTES(16))');
  } finally {
    connection.destroy();
  }
}

async function columnOf(connection: Connection, sql: string, column: number): Promise<string[]> {
  const [rows] = await connection.query<RowDataPacket[]>(sql);
  return rows.map((row) => String(Object.values(row)[column]));
}
