import { Pool } from '../../../../connectors/mysql/sql/pool';
import type { Sql } from '../../../../connectors/mysql/sql/sql';
import { MySqlSendLimits } from '../../../../connectors/mysql/workers/send-limits';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { ManualClock } from '../../../support/manual-clock';
import { freshDatabase, type World } from '../../../support/stack/stack';

const DAY_MS = 86_400_000;
const perAccount = { rates: [{ count: 10, windowMs: DAY_MS }], gapMs: 0 };
const perApp = { rates: [{ count: 500, windowMs: DAY_MS }], gapMs: 0 };

let world: World;
let worker: Pool;
/** What was asked of the database. */
let statements: string[];

beforeAll(async () => {
  world = await freshDatabase();
  worker = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 2 });
});
beforeEach(() => {
  statements = [];
});
afterAll(async () => {
  await worker.close();
  await world.close();
});

function seen(sql: Sql): Sql {
  return {
    rows: (statement) => {
      statements.push(statement);
      return sql.rows(statement);
    },
    run: (statement) => {
      statements.push(statement);
      return sql.run(statement);
    },
  };
}

function limitsOf(channel: string, clock = new ManualClock()): MySqlSendLimits {
  const pool = {
    clock,
    run: (statement: string) => seen(worker).run(statement),
    transaction: <T>(work: (sql: Sql) => Promise<T>) => worker.transaction((sql) => work(seen(sql))),
  };
  return new MySqlSendLimits(pool, channel);
}

const wants = (count: number) => Array.from({ length: count }, (_, n) => ({ account: `account-${n}`, count: 1 }));

test('2. A fixed number of statements for a batch, however many accounts it has', async () => {
  const limits = limitsOf('x');
  await limits.take({ perAccount, perApp }, wants(1));
  const alone = statements.splice(0).length;
  const { allowed } = await limits.take({ perAccount, perApp }, wants(300));
  expect([...allowed.values()].reduce((sum, one) => sum + one, 0)).toBe(300);
  expect(statements).toHaveLength(alone - 1);
});

test('3. What nobody has used for long is deleted, and what is held still is not', async () => {
  const clock = new ManualClock();
  const limits = limitsOf('old', clock);
  await limits.take({ perAccount }, wants(3));
  await limits.hold('account-1', DAY_MS);
  const agoMs = 9 * DAY_MS;
  await worker.run(`UPDATE account_limits SET changed_at=changed_at - ${agoMs} WHERE channel='old'`);
  await limits.take({ perAccount }, [{ account: 'new', count: 1 }]);
  const accounts = async () => {
    const rows = await worker.rows<[string]>("SELECT account FROM account_limits WHERE channel='old' ORDER BY account");
    return rows.map(([account]) => account);
  };
  // It looks now and then.
  expect(await accounts()).toHaveLength(4);
  await clock.advance(3_600_000);
  await limits.take({ perAccount }, [{ account: 'new', count: 1 }]);
  expect(await accounts()).toEqual(['account-1', 'new']);
});

test('a purge that fails costs nothing of what was allowed', async () => {
  const pool = {
    clock: new ManualClock(),
    run: () => Promise.reject(new Error('the rows are locked')),
    transaction: <T>(work: (sql: Sql) => Promise<T>) => worker.transaction(work),
  };
  const { allowed } = await new MySqlSendLimits(pool, 'purged').take({ perAccount }, wants(1));
  expect([...allowed.values()]).toEqual([1]);
});

test('what a clock far ahead has written holds nobody, and is replaced', async () => {
  const limits = limitsOf('leap');
  await limits.hold('account-0', 365 * DAY_MS);
  expect([...(await limits.take({ perAccount }, wants(1))).allowed.values()]).toEqual([1]);
  await limits.hold('account-0', 60_000);
  const { allowed, opensAt, at } = await limits.take({ perAccount }, wants(1));
  expect(allowed.get('account-0') ?? 0).toBe(0);
  expect((opensAt.get('account-0') ?? 0) - at).toBeLessThanOrEqual(60_000);
});

test('what is written without a limit of accounts is the app alone', async () => {
  const limits = limitsOf('app');
  await limits.take({ perApp }, wants(5));
  expect(await worker.rows("SELECT account FROM account_limits WHERE channel='app'")).toEqual([['']]);
});
