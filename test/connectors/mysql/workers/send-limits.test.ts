import { once } from 'node:events';
import { accountOf } from '../../../../connectors/mysql/schema/users';
import { addressOf } from '../../../../connectors/mysql/sql/address';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import type { Sql } from '../../../../connectors/mysql/sql/sql';
import { MySqlSendLimits } from '../../../../connectors/mysql/workers/send-limits';
import { MySqlWorkerRegistry } from '../../../../connectors/mysql/workers/worker-registry';
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
  expect((opensAt.get('account-0') ?? 0) - (at ?? 0)).toBeLessThanOrEqual(60_000);
});

test('what is written without a limit of accounts is the app alone, unless each has a part of a long rate', async () => {
  const limits = limitsOf('app');
  await limits.take({ perApp: { rates: [{ count: 500, windowMs: 60_000 }], gapMs: 0 } }, wants(5));
  expect(await worker.rows("SELECT account FROM account_limits WHERE channel='app'")).toEqual([['']]);
});

test('4. Whoever stands still while it counts keeps its own accounts alone waiting', async () => {
  const limits = limitsOf('frozen');
  await limits.take({ perAccount }, wants(3));
  const [goes, locks] = [new AbortController(), new AbortController()];
  const [hasGone, hasLocked] = [once(goes.signal, 'abort'), once(locks.signal, 'abort')];
  const frozen = new MySqlSendLimits(
    {
      clock: new ManualClock(),
      run: (statement) => worker.run(statement),
      transaction: (work) =>
        worker.transaction(async (sql) => {
          const answer = await work(sql);
          locks.abort();
          await hasGone;
          return answer;
        }),
    },
    'frozen',
  );
  const first = frozen.take({ perAccount }, wants(2));
  await hasLocked;
  try {
    const { allowed, opensAt, at = 0 } = await limits.take({ perAccount }, [...wants(3), { account: 'new', count: 2 }]);
    expect(Object.fromEntries(allowed)).toEqual({ 'account-2': 1, new: 2 });
    expect([...opensAt].map(([account, opens]) => [account, opens - at])).toEqual([
      ['account-0', 250],
      ['account-1', 250],
    ]);
    // Nor is anybody else kept waiting where all of a batch are locked.
    expect((await limits.take({ perAccount }, wants(2))).allowed.size).toBe(0);
  } finally {
    goes.abort();
  }
  expect((await first).allowed.size).toBe(2);
  expect((await limits.take({ perAccount }, wants(2))).allowed.size).toBe(2);
});

async function admin(statement: string): Promise<void> {
  const pool = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  try {
    await pool.run(statement);
  } finally {
    await pool.close();
  }
}

async function survives(channel: string, mend: () => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const url = required(world.environment, 'WORKER_DATABASE_URL');
  const pool = Pool.open(url, { clock: systemClock, size: 1, patient: true });
  const registry = new MySqlWorkerRegistry(pool, clock);
  const limits = new MySqlSendLimits(
    { clock, run: (statement) => pool.run(statement), transaction: (work) => pool.transaction(work) },
    channel,
  );
  const take = () => limits.take({ perAccount }, [{ account: 'a', count: 99 }]);
  let isMended = false;
  try {
    const first = await take();
    expect([first.allowed.get('a'), first.at]).toEqual([99, undefined]);
    expect(first.uncounted?.message).toContain('downspout migrate');
    const second = await take();
    expect([second.allowed.get('a'), second.uncounted]).toEqual([99, undefined]);
    await limits.hold('a', 1_000);
    const pulse = await registry.pulse();
    expect([pulse.limited, pulse.limitsUnread?.message]).toEqual([[], expect.stringContaining('account_limits')]);
    expect((await registry.pulse()).limitsUnread).toBeUndefined();
    await mend();
    isMended = true;
    await clock.advance(31_000);
    expect((await take()).allowed.get('a')).toBe(10);
    const { limited, limitsUnread } = await registry.pulse();
    expect(limited.map((one) => [one.channel, one.account])).toContainEqual([channel, 'a']);
    expect(limitsUnread).toBeUndefined();
  } finally {
    if (!isMended) await mend();
    await pool.close();
  }
}

describe('5. A database that is older than the worker stops nothing', () => {
  test('whose user of the workers has no right on the table', async () => {
    const { user, database } = addressOf(required(world.environment, 'WORKER_DATABASE_URL'));
    const right = `SELECT, INSERT, UPDATE, DELETE ON \`${database}\`.account_limits`;
    await admin(`REVOKE ${right} FROM ${accountOf(user)}`);
    await expect(survives('rights', () => admin(`GRANT ${right} TO ${accountOf(user)}`))).resolves.toBeUndefined();
  });

  test('which has no such table', async () => {
    await admin('RENAME TABLE account_limits TO account_limits_away');
    const mend = () => admin('RENAME TABLE account_limits_away TO account_limits');
    await expect(survives('table', mend)).resolves.toBeUndefined();
  });
});
