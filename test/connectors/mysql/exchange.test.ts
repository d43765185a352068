import { type Client, createClient } from '../../../connectors/mysql/client/client';
import { Pool } from '../../../connectors/mysql/sql/pool';
import type { Sql } from '../../../connectors/mysql/sql/sql';
import { MySqlSendRows } from '../../../connectors/mysql/workers/send-rows';
import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import { freshDatabase, type World } from '../../support/stack/stack';
import { until } from '../../support/until';
import { delivered, newSession, result } from './scene';

let world: World;
let client: Client;
let worker: Pool;
let admin: Pool;

beforeAll(async () => {
  world = await freshDatabase();
  client = createClient(required(world.environment, 'DATABASE_URL'));
  worker = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 4 });
  admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), {
    clock: systemClock,
    size: 2,
    lockWaitSeconds: 30,
  });
});
afterAll(async () => {
  await Promise.all([client.close(), worker.close(), admin.close()]);
  await world.close();
});

/** Schedules, claims and writes back until it is stopped. What is Unavailable is tried again, as workers do. */
class Load {
  readonly failures: unknown[] = [];
  settled = 0;
  unavailable = 0;
  private stopped = false;
  private readonly running: Promise<void>;

  constructor(private readonly round: () => Promise<number>) {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      try {
        this.settled += await this.round();
      } catch (error) {
        if ((error as Error).name === 'Unavailable') this.unavailable += 1;
        else this.failures.push(error);
        await systemClock.sleep(20);
      }
    }
  }
}

async function sendSome(): Promise<number> {
  const rows = new MySqlSendRows(worker);
  const session = newSession();
  const answers = await client.schedule(
    [1, 2, 3, 4, 5].map((n) => ({
      account: `a${n}`,
      channel: 'webhook' as const,
      payload: { url: 'http://127.0.0.1/', body: n },
      dueAt: systemClock.now() - 60_000,
    })),
  );
  const read = await rows.read(
    answers.map(({ id }) => id),
    Number.POSITIVE_INFINITY,
  );
  await rows.claim(session, read, 0);
  const claimed = await rows.read(
    read.map(({ id }) => id),
    Number.POSITIVE_INFINITY,
  );
  const own = claimed.filter((row) => row.session === session);
  const unwritten = await rows.writeBack(
    session,
    own.map((row) => result(row, { kind: 'delivered' }, delivered(null))),
  );
  return own.length - unwritten.length;
}

/** As gh-ost and pt-online-schema-change end: the table is locked, and another one takes its name. */
async function exchange(sql: Sql, between: () => Promise<unknown>): Promise<void> {
  const columns = await sql.rows<[string]>(
    "SELECT column_name FROM information_schema.columns WHERE table_schema=DATABASE() AND table_name='scheduled_messages' AND generation_expression=''",
  );
  const names = columns.map(([name]) => `\`${name}\``).join(',');
  await sql.run('CREATE TABLE _gho LIKE scheduled_messages');
  await sql.run('LOCK TABLES scheduled_messages WRITE, _gho WRITE');
  await sql.run(`INSERT INTO _gho (${names}) SELECT ${names} FROM scheduled_messages`);
  await sql.run('RENAME TABLE scheduled_messages TO _del');
  await sql.run('UNLOCK TABLES');
  await between();
  await sql.run('RENAME TABLE _gho TO scheduled_messages');
  await sql.run('DROP TABLE _del');
}

test('an ALTER and an exchange of the table under load are waited for, and nothing is lost', async () => {
  const load = new Load(sendSome);
  const goesOn = async (what: string) => {
    const before = load.settled;
    await until(`messages are sent after ${what}`, () => load.settled > before || load.failures.length > 0);
  };
  await goesOn('the start');
  await admin.run('ALTER TABLE scheduled_messages ADD COLUMN campaign VARCHAR(32) NULL');
  await goesOn('an ALTER');
  await admin.run('ALTER TABLE scheduled_messages MODIFY COLUMN campaign VARCHAR(300) NULL, ALGORITHM=COPY');
  await goesOn('an ALTER that copies the table');
  const before = load.unavailable;
  await admin.use((sql) =>
    exchange(sql, () =>
      until('somebody has missed the table', () => load.unavailable > before || load.failures.length > 0),
    ),
  );
  await goesOn('the exchange');
  await load.stop();
  expect(load.failures).toEqual([]);
  const [[settled] = [0]] = await admin.rows<[number]>(
    "SELECT COUNT(*) FROM scheduled_messages WHERE state='delivered'",
  );
  expect(settled).toBeGreaterThanOrEqual(load.settled);
}, 60_000);
