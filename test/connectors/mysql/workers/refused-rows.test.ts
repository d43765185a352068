import { randomBytes } from 'node:crypto';
import type { AttemptResult } from '../../../../bolts/send-rows';
import { createClient } from '../../../../connectors/mysql/client/client';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { MySqlOpenRows } from '../../../../connectors/mysql/workers/open-rows';
import { MySqlSendRows } from '../../../../connectors/mysql/workers/send-rows';
import { MySqlWorkerRegistry } from '../../../../connectors/mysql/workers/worker-registry';
import { systemClock } from '../../../../topology/core/clock';
import { Unavailable } from '../../../../topology/core/errors';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

/**
 * A trigger of the application that fails for one row, in another way than by SIGNAL, or that waits for a row of its own; and a row
 * that is too large by itself. Whatever MySQL answers costs that row alone.
 */
let world: World;
let admin: Pool;
let ids: number[];
let rows: MySqlSendRows;
const session = randomBytes(16).toString('hex');

beforeAll(async () => {
  world = await freshDatabase();
  admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 2, patient: true });
  rows = new MySqlSendRows(admin);
  await admin.run('CREATE TABLE seen (message_id BIGINT UNSIGNED PRIMARY KEY)');
  await admin.run('CREATE TABLE owners (message_id BIGINT UNSIGNED PRIMARY KEY)');
  await admin.run(
    'CREATE TABLE notes (message_id BIGINT UNSIGNED, FOREIGN KEY (message_id) REFERENCES owners (message_id))',
  );
});
afterAll(async () => {
  await admin.close();
  await world.close();
});

beforeEach(async () => {
  await admin.run('DROP TRIGGER IF EXISTS of_application');
  const filled = ['scheduled_messages', 'delivery_attempts', 'account_states', 'kept_ids', 'seen', 'notes', 'owners'];
  for (const table of filled) await admin.run(`DELETE FROM ${table}`);
  const client = createClient(required(world.environment, 'DATABASE_URL'));
  const answers = await client.schedule(
    Array.from({ length: 20 }, (_, n) => ({
      account: 'a',
      channel: 'webhook' as const,
      payload: { url: 'http://127.0.0.1/', body: n },
      dueAt: systemClock.now() - 60_000,
    })),
  );
  ids = answers.map(({ id }) => id);
  await client.close();
});

async function states(): Promise<string[]> {
  const after = new Map((await rows.read(ids, 0)).map(({ id, state }) => [id, state]));
  return ids.map((id) => after.get(id) as string);
}

const bad = () => ids[7] as number;
const but = (refused: string, others: string) => ids.map((id) => (id === bad() ? refused : others));

/** Each fails for one row alone: a key that is there already, a parent that is gone, two rows for one, mistakes in the trigger itself. */
const failures: readonly (readonly [string, (id: number) => string])[] = [
  ['1062', (id) => `INSERT INTO seen VALUES (${id}), (${id})`],
  ['1452', (id) => `INSERT INTO notes VALUES (${id})`],
  ['1242', () => 'SET @one = (SELECT 1 UNION SELECT 2)'],
  ['1305', () => 'CALL missing()'],
  ['1054', () => 'INSERT INTO seen (nothing) VALUES (1)'],
  ['1136', () => 'INSERT INTO seen VALUES (1, 2)'],
];

async function trigger(body: string): Promise<void> {
  await admin.run(
    `CREATE TRIGGER of_application AFTER UPDATE ON scheduled_messages FOR EACH ROW BEGIN IF NEW.id = ${bad()} THEN ${body}; END IF; END`,
  );
}

function delivered({ id, version, dueAt, wakeAt }: Awaited<ReturnType<MySqlSendRows['read']>>[number]): AttemptResult {
  return {
    id,
    version,
    dueAt,
    wakeAt: wakeAt as number,
    contentHash: 'ab'.repeat(32),
    startedAt: systemClock.now(),
    finishedAt: systemClock.now(),
    outcome: { kind: 'delivered' },
    settlement: { state: 'delivered', deliveredAt: systemClock.now(), receipt: null },
  };
}

async function claimed(): Promise<AttemptResult[]> {
  await rows.claim(session, await rows.read(ids, 0), 0);
  return (await rows.read(ids, 0)).map(delivered);
}

const ofBad = (results: readonly AttemptResult[]) => results.find(({ id }) => id === bad()) as AttemptResult;
const release = { reason: 'not written', delayMs: 60_000 };

describe.each(failures)('a trigger that fails for one row with error %s', (_, body) => {
  test('keeps no other row from being claimed', async () => {
    const read = await rows.read(ids, 0);
    await trigger(body(bad()));
    await expect(rows.claim(session, read, 0)).rejects.toMatchObject({
      won: ids.length - 1,
      message: expect.stringContaining(`message ${bad()} cannot be claimed: `),
    });
    expect(await states()).toEqual(but('scheduled', 'sending'));
  });

  test('keeps no other result from being written, and its row is released', async () => {
    const results = await claimed();
    // Releasing it makes it `scheduled`, which the trigger takes.
    await trigger(`IF NEW.state = 'delivered' THEN ${body(bad())}; END IF`);
    expect(await rows.writeBack(session, results)).toEqual([{ id: bad(), reason: expect.any(String), again: false }]);
    expect(await states()).toEqual(but('sending', 'delivered'));
    expect(await rows.writeAlone(session, ofBad(results), null)).toBe('refused');
    expect(await states()).toEqual(but('sending', 'delivered'));
    expect(await rows.writeAlone(session, ofBad(results), release)).toBe('released');
    expect(await rows.read([bad()], 0)).toMatchObject([{ state: 'scheduled', inDoubt: true, version: 2 }]);
    const [ledger] = await admin.rows<[number, number]>('SELECT COUNT(*), MIN(message_id) FROM delivery_attempts');
    expect(ledger).toEqual([ids.length - 1, Math.min(...ids)]);
  });

  test('that refuses the release too leaves the row as it is, and none of others is written alone in vain', async () => {
    const results = await claimed();
    await trigger(body(bad()));
    await expect(rows.writeAlone(session, ofBad(results), release)).rejects.toThrow(Unavailable);
    expect(await states()).toEqual(ids.map(() => 'sending'));
    for (const one of results.filter(({ id }) => id !== bad())) {
      expect(await rows.writeAlone(session, one, release)).toBe('written');
    }
    expect(await states()).toEqual(but('sending', 'delivered'));
  });

  test('that refuses the release alone keeps no result from being written', async () => {
    const results = await claimed();
    await trigger(`IF NEW.state = 'scheduled' THEN ${body(bad())}; END IF`);
    expect(await rows.writeAlone(session, ofBad(results), release)).toBe('written');
    expect(await states()).toEqual(but('delivered', 'sending'));
  });

  test('keeps no other row of a dead session from being recovered', async () => {
    await rows.claim(session, await rows.read(ids, 0), 0);
    const lost = (await rows.read(ids, 0)).map(({ id, version }) => ({ id, version, session }));
    await trigger(body(bad()));
    expect(await new MySqlOpenRows(admin).recover(lost, 0)).toEqual({
      recovered: ids.length - 1,
      delivered: 0,
      refused: [{ id: bad(), reason: expect.any(String) }],
    });
    expect(await states()).toEqual(but('sending', 'scheduled'));
  });

  test('ends no worker where it is the only row there is', async () => {
    await rows.claim(session, await rows.read([bad()], 0), 0);
    const lost = (await rows.read([bad()], 0)).map(({ id, version }) => ({ id, version, session }));
    await trigger(body(bad()));
    await expect(new MySqlOpenRows(admin).recover(lost, 0)).rejects.toThrow(Unavailable);
  });
});

const suspends = (result: AttemptResult): AttemptResult => ({
  ...result,
  outcome: { kind: 'rejected', reason: 'no' },
  settlement: { state: 'suspended', inDoubt: false, error: 'no', generation: 0 },
});
const marked = async () => (await admin.rows<[number]>('SELECT COUNT(*) FROM account_states')).flat();

describe('a suspension that the database refuses', () => {
  test.each(failures)('with error %s releases its row, and marks no account', async (_, body) => {
    const one = suspends(ofBad(await claimed()));
    await trigger(`IF NEW.state = 'suspended' THEN ${body(bad())}; END IF`);
    expect(await rows.writeAlone(session, one, null)).toBe('refused');
    expect(await states()).toEqual(ids.map(() => 'sending'));
    expect(await rows.writeAlone(session, one, { ...release, keepsDoubt: true })).toBe('released');
    expect(await rows.read([bad()], 0)).toMatchObject([{ state: 'scheduled', inDoubt: false, version: 2 }]);
    expect(await marked()).toEqual([0]);
  });

  test('is kept while the table of the accounts is away, and is written after that', async () => {
    const one = suspends(ofBad(await claimed()));
    await admin.run('RENAME TABLE account_states TO states_elsewhere');
    await expect(rows.writeAlone(session, one, release)).rejects.toThrow(Unavailable);
    expect(await states()).toEqual(ids.map(() => 'sending'));
    await admin.run('RENAME TABLE states_elsewhere TO account_states');
    expect(await rows.writeAlone(session, one, release)).toBe('written');
    expect([await states(), await marked()]).toEqual([but('suspended', 'sending'), [1]]);
  });
});

test('a table of kept ids that is missing puts no outcome in doubt', async () => {
  const [first, ...others] = (await claimed()).map((result) => ({ ...result, hasKept: true as const }));
  await admin.run('RENAME TABLE kept_ids TO kept_elsewhere');
  expect(await rows.writeAlone(session, first as AttemptResult, release)).toBe('written');
  expect(await states()).toEqual(ids.map((_, n) => (n === 0 ? 'delivered' : 'sending')));
  await admin.run('RENAME TABLE kept_elsewhere TO kept_ids');
  expect(await rows.writeBack(session, others)).toEqual([]);
});

const waits = () => `DELETE FROM owners WHERE message_id = ${bad()}`;

/** The trigger writes a row of the application's own, which a transaction of somebody else holds: a forgotten console (error 1205). */
describe('a trigger that waits for a row of the application', () => {
  let holder: Pool;
  let letGo: () => void;
  let held: Promise<unknown>;

  beforeEach(async () => {
    await admin.run(`INSERT INTO owners VALUES (${bad()})`);
    holder = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), {
      clock: systemClock,
      size: 1,
      silenceSeconds: 600,
    });
  });
  afterEach(async () => {
    letGo();
    await held;
    await holder.close();
  });

  async function hold(): Promise<void> {
    await trigger(waits());
    await take();
  }

  async function take(): Promise<void> {
    await new Promise<void>((resolve) => {
      held = holder.transaction(async (sql) => {
        await sql.rows(`SELECT 1 FROM owners WHERE message_id = ${bad()} FOR UPDATE`);
        resolve();
        await new Promise<void>((released) => {
          letGo = released;
        });
      });
    });
  }

  test('keeps no other row from being claimed', async () => {
    const read = await rows.read(ids, 0);
    await hold();
    expect(await rows.claim(session, read, 0)).toBe(ids.length - 1);
    expect(await states()).toEqual(but('scheduled', 'sending'));
    letGo();
    await held;
    expect(await rows.claim(session, await rows.read([bad()], 0), 0)).toBe(1);
  });

  test('keeps no other result from being written, and its row is not released', async () => {
    const results = await claimed();
    await hold();
    expect(await rows.writeBack(session, results)).toEqual([
      { id: bad(), reason: expect.any(String), again: true, wait: 'own' },
    ]);
    expect(await states()).toEqual(but('sending', 'delivered'));
    await expect(rows.writeAlone(session, ofBad(results), release)).rejects.toThrow(Unavailable);
    expect(await rows.read([bad()], 0)).toMatchObject([{ state: 'sending', inDoubt: false, version: 1 }]);
    letGo();
    await held;
    expect(await rows.writeAlone(session, ofBad(results), release)).toBe('written');
  });

  test('says whose results wait, of eight accounts among thirty, and which were not tried because of them', async () => {
    const client = createClient(required(world.environment, 'DATABASE_URL'));
    const scheduled = await client.schedule(
      Array.from({ length: 90 }, (_, n) => ({
        account: `a${n % 30}`,
        channel: 'webhook' as const,
        payload: { url: 'http://127.0.0.1/', body: n },
        dueAt: systemClock.now() - 60_000,
      })),
    );
    await client.close();
    const waiting = Array.from({ length: 8 }, (_, n) => `a${n * 3}`);
    ids = scheduled.map(({ id }) => id);
    await admin.run(`INSERT INTO owners VALUES (${bad()})`);
    const accountOf = new Map((await rows.read(ids, 0)).map(({ id, account }) => [id, account]));
    const results = await claimed();
    await admin.run(
      `CREATE TRIGGER of_application AFTER UPDATE ON scheduled_messages FOR EACH ROW BEGIN IF NEW.account IN (${waiting.map((name) => `'${name}'`).join(',')}) THEN ${waits()}; END IF; END`,
    );
    await take();
    const own = new Set<string>();
    let [left, calls] = [results, 0];
    for (; left.length > 0 && calls < 5; calls++) {
      const unwritten = await rows.writeBack(session, left);
      const untried = new Set(unwritten.flatMap(({ id, wait }) => (wait === 'others' ? [id] : [])));
      for (const { id, wait } of unwritten) if (wait === 'own') own.add(accountOf.get(id) as string);
      left = left.filter(({ id }) => untried.has(id) && !own.has(accountOf.get(id) as string));
    }
    // One wait of all, and then one for each account, six in a call.
    expect(calls).toBeLessThanOrEqual(3);
    expect([...own].toSorted()).toEqual(waiting.toSorted());
    const after = await rows.read(ids, 0);
    expect(after.map(({ account, state }) => [account, state])).toEqual(
      after.map(({ account }) => [account, own.has(account) ? 'sending' : 'delivered']),
    );
    letGo();
    await held;
    expect(await rows.writeBack(session, results)).toEqual([]);
  });

  test('keeps no other row of a dead session from being recovered', async () => {
    await rows.claim(session, await rows.read(ids, 0), 0);
    const lost = (await rows.read(ids, 0)).map(({ id, version }) => ({ id, version, session }));
    await hold();
    // What is left after three waits is found again in the next round.
    const isLeft = async () => (await states()).filter((state) => state === 'sending').length > 1;
    for (let round = 0; round < 10 && (await isLeft()); round++) await new MySqlOpenRows(admin).recover(lost, 0);
    expect(await states()).toEqual(but('sending', 'scheduled'));
  });
});

describe.each(['delivery_attempts', 'scheduled_messages'])('while %s is locked for writing', (table) => {
  test('no result is refused', async () => {
    const [one] = (await claimed()) as [AttemptResult];
    const holder = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
    try {
      await holder.use(async (sql) => {
        await sql.run(`LOCK TABLES ${table} READ`);
        // Each waits for seconds.
        const writes = [one, { ...one, contentHash: '?' }].map((result) => rows.writeAlone(session, result, release));
        for (const written of await Promise.allSettled(writes)) {
          expect(written).toMatchObject({ status: 'rejected', reason: expect.any(Unavailable) });
        }
        await sql.run('UNLOCK TABLES');
      });
    } finally {
      await holder.close();
    }
    expect(await states()).toEqual(ids.map(() => 'sending'));
    expect(await rows.writeAlone(session, one, release)).toBe('written');
  });
});

test('a session whose row in the registry somebody holds keeps no other from being marked dead', async () => {
  const [one, other] = ['1a'.repeat(16), '1b'.repeat(16)] as const;
  const registry = new MySqlWorkerRegistry(admin, systemClock);
  for (const each of [one, other]) {
    await registry.register(
      { session: each, components: ['webhook'], host: 'h', pid: 1, version: '0', statusUrl: null },
      -60_000,
    );
  }
  const open = new MySqlOpenRows(admin);
  const leases = await open.leasesOf([one, other]);
  const holder = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  const dead = await holder.transaction(async (sql) => {
    await sql.rows(`SELECT 1 FROM workers WHERE session=x'${one}' FOR UPDATE`);
    return open.markDead(leases);
  });
  await holder.close();
  expect(dead).toEqual([other]);
  expect((await open.markDead(leases)).toSorted()).toEqual([one, other]);
});
