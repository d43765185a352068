import { Sessions } from '../../../../connectors/mysql/operators/verify/snapshot';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import type { Sql } from '../../../../connectors/mysql/sql/sql';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const ALIVE = 'aa'.repeat(16);
const NEW = 'bb'.repeat(16);
const UNKNOWN = 'ee'.repeat(16);
const DEAD = 40;

let world: World;
let admin: Pool;

beforeAll(async () => {
  world = await freshDatabase();
  admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
}, 60_000);
afterAll(async () => {
  await admin.close();
  await world.close();
});

async function register(session: string, dead: 0 | 1): Promise<void> {
  await admin.run(
    'INSERT INTO workers (session, components, host, pid, version, started_at, lease_until, dead) ' +
      `VALUES (x'${session}', '["webhook"]', 'h', 1, '1', 0, 9000000000000, ${dead})`,
  );
}

/** The register as the database holds it. @param read gets the number of workers of each answer */
function counted(read: (workers: number) => void): Sql {
  return {
    rows: async <T extends readonly unknown[]>(statement: string) => {
      const rows = await admin.rows<T>(statement);
      read(rows.length);
      return rows;
    },
    run: (statement) => admin.run(statement),
  };
}

test('workers that have ended are read once, however many pages follow; those alive, and new ones that are named, again', async () => {
  for (let at = 0; at < DEAD; at++) await register(at.toString(16).padStart(32, '0'), 1);
  await register(ALIVE, 0);
  const read: number[] = [];
  const sql = counted((workers) => read.push(workers));
  const sessions = new Sessions();
  await sessions.read(sql, [ALIVE]);
  expect(read.splice(0)).toEqual([DEAD + 1]);
  await sessions.read(sql, [ALIVE, '0'.repeat(32)]);
  expect(read.splice(0)).toEqual([1]);
  await register(NEW, 0);
  await admin.run(`UPDATE workers SET dead = 1 WHERE session = x'${ALIVE}'`);
  await sessions.read(sql, [NEW, UNKNOWN]);
  expect(read.splice(0)).toEqual([2]);
  expect(sessions.known.get(ALIVE)).toMatchObject({ dead: true });
  expect(sessions.known.get(NEW)).toMatchObject({ dead: false });
  expect(sessions.known.has(UNKNOWN)).toBe(false);
  await sessions.read(sql, [ALIVE, '0'.repeat(32)]);
  expect(read).toEqual([1]);
});
