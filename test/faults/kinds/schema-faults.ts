import { systemClock } from '../../../topology/core/clock';
import type { Arena } from '../world/arena';
import type { Fault } from './fault';
import { amid, burst, changesComeThrough } from './moments';

/** Rows that a tool for schema changes copies at once. */
const CHUNK = 500;
/** A transaction of somebody else is open for so long while the ALTER waits for it. */
const BLOCKED_MS = 15_000;
/**
 * Connections at most while everything waits for the ALTER: those of four workers, the clients and the test. What gives up
 * must not leave its statement waiting in the server, or each retry would add another.
 */
const MAX_CONNECTIONS = 80;

export const schemaFaults: readonly Fault[] = [
  {
    name: 'a column is added and dropped under load',
    short: false,
    mostLateMs: 20_000,
    run: async (arena) => {
      await burst(arena, 1_000, 2_500);
      await arena.sql.run('ALTER TABLE scheduled_messages ADD COLUMN note VARCHAR(20) NULL');
      await amid(arena, 500);
      await arena.sql.run('ALTER TABLE scheduled_messages DROP COLUMN note');
    },
  },
  {
    name: 'an ALTER waits behind a long transaction, and everything else behind the ALTER',
    short: false,
    mostLateMs: 60_000,
    run: async (arena) => {
      const { sql } = arena;
      await burst(arena, 500, 2_000);
      let most = 0;
      const altered = sql.transaction(async (reader) => {
        await reader.rows('SELECT id FROM scheduled_messages LIMIT 1');
        const alter = sql.run('ALTER TABLE scheduled_messages ADD COLUMN note VARCHAR(20) NULL').catch(() => undefined);
        const end = systemClock.monotonic() + BLOCKED_MS;
        while (systemClock.monotonic() < end) {
          const [row] = await reader.rows<[string, string]>("SHOW GLOBAL STATUS LIKE 'Threads_connected'");
          most = Math.max(most, Number(row?.[1]));
          await systemClock.sleep(200);
        }
        return { alter };
      });
      await (await altered).alter;
      await changesComeThrough(arena);
      await dropColumn(arena, 'note');
      if (most > MAX_CONNECTIONS) throw new Error(`${most} connections to MySQL were open meanwhile`);
    },
  },
  {
    name: 'a tool for schema changes copies the table and exchanges it under load',
    short: false,
    mostLateMs: 30_000,
    run: async (arena) => {
      await burst(arena, 2_000, 6_000);
      await exchange(arena);
      await changesComeThrough(arena);
      await dropColumn(arena, 'campaign');
    },
  },
];

async function dropColumn({ sql }: Arena, name: string): Promise<void> {
  const found = await sql.rows(`SHOW COLUMNS FROM scheduled_messages LIKE '${name}'`);
  if (found.length > 0) await sql.run(`ALTER TABLE scheduled_messages DROP COLUMN ${name}`);
}

/**
 * Adds a column as gh-ost and pt-online-schema-change do: to a copy, which triggers keep equal while the rows are copied in
 * chunks, and which takes the table's name in the end.
 */
async function exchange({ sql }: Arena): Promise<void> {
  const columns = await sql.rows<[string]>(
    `SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE()
       AND table_name = 'scheduled_messages' AND generation_expression = '' ORDER BY ordinal_position`,
  );
  const names = columns.map(([name]) => `\`${name}\``);
  const fresh = names.map((name) => `NEW.${name}`).join(',');
  const copied = `REPLACE INTO _copy (${names.join(',')})`;
  await sql.run('CREATE TABLE _copy LIKE scheduled_messages');
  await sql.run('ALTER TABLE _copy ADD COLUMN campaign VARCHAR(32) NULL');
  for (const event of ['INSERT', 'UPDATE']) {
    await sql.run(
      `CREATE TRIGGER copy_${event} AFTER ${event} ON scheduled_messages FOR EACH ROW ${copied} VALUES (${fresh})`,
    );
  }
  await sql.run(
    'CREATE TRIGGER copy_DELETE AFTER DELETE ON scheduled_messages FOR EACH ROW DELETE FROM _copy WHERE id = OLD.id',
  );
  const [last] = await sql.rows<[number]>('SELECT COALESCE(MAX(id), 0) FROM scheduled_messages');
  for (let id = 0; id <= (last?.[0] ?? 0); id += CHUNK) {
    await sql.run(
      `INSERT IGNORE INTO _copy (${names.join(',')}) SELECT ${names.join(',')} FROM scheduled_messages
         WHERE id > ${id} AND id <= ${id + CHUNK} FOR SHARE`,
    );
  }
  await sql.run('RENAME TABLE scheduled_messages TO _old, _copy TO scheduled_messages');
  await sql.run('DROP TABLE _old');
}
