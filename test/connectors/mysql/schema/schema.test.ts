import { generateMySQLDrizzleJson, generateMySQLMigration } from 'drizzle-kit/api';
import * as schema from '../../../../connectors/mysql/schema/schema';
import { addressOf } from '../../../../connectors/mysql/sql/address';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

let world: World;
let admin: Pool;
let migrated: string;
let described: string;

beforeAll(async () => {
  world = await freshDatabase();
  const url = required(world.environment, 'ADMIN_DATABASE_URL');
  admin = Pool.open(url, { clock: systemClock, size: 1 });
  migrated = addressOf(url).database;
  described = `${migrated}_schema`;
});
afterAll(async () => {
  await admin.run(`DROP DATABASE IF EXISTS \`${described}\``);
  await admin.close();
  await world.close();
});

/** Everything about the tables except comments and the order of columns. */
async function tablesOf(database: string): Promise<readonly unknown[]> {
  const where = `WHERE table_schema='${database}' AND table_name <> '__drizzle_migrations'`;
  const columns = await admin.rows(
    'SELECT table_name, column_name, column_type, is_nullable, column_default, collation_name, extra, generation_expression ' +
      `FROM information_schema.columns ${where} ORDER BY table_name, column_name`,
  );
  const keys = await admin.rows(
    'SELECT table_name, index_name, seq_in_index, column_name, non_unique ' +
      `FROM information_schema.statistics ${where} ORDER BY table_name, index_name, seq_in_index`,
  );
  const checks = await admin.rows(
    'SELECT constraint_name, check_clause FROM information_schema.check_constraints ' +
      `WHERE constraint_schema='${database}' ORDER BY constraint_name`,
  );
  return [...columns, ...keys, ...checks];
}

test('schema.ts describes the tables that the migrations make', async () => {
  const empty = await generateMySQLDrizzleJson({});
  const whole = await generateMySQLDrizzleJson(schema, empty.id, 'snake_case');
  const statements = await generateMySQLMigration(empty, whole);
  await admin.run(`CREATE DATABASE \`${described}\` DEFAULT CHARACTER SET utf8mb4`);
  await admin.use(async (sql) => {
    await sql.run(`USE \`${described}\``);
    for (const statement of statements) await sql.run(statement);
    await sql.run(`USE \`${migrated}\``);
  });
  expect(await tablesOf(described)).toEqual(await tablesOf(migrated));
});
