import { Pool } from '../../../../connectors/mysql/sql/pool';
import { openWorkerPools } from '../../../../connectors/mysql/workers/connections';
import { ManualClock } from '../../../support/manual-clock';
import { ScriptedMySql } from '../../../support/mysql/scripted-mysql';
import { until } from '../../../support/until';

let mysql: ScriptedMySql;
let clock: ManualClock;
const pools: Pool[] = [];

beforeEach(async () => {
  mysql = await ScriptedMySql.start();
  clock = new ManualClock();
});
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
  await mysql.close();
});

function open(patient: boolean): Pool {
  const pool = Pool.open(mysql.url, { clock, size: 1, ...(patient ? { patient } : {}) });
  pools.push(pool);
  return pool;
}

const read = (pool: Pool) => pool.rows('SELECT 1');
const waits = (errno: number) => ({
  name: 'Unavailable',
  message: expect.stringMatching(new RegExp(`^MySQL: .*${errno}.*\\. [A-Z].*\\.$`)),
});

/** While a password is changed, a database restored, a name not found, an account locked or without TLS. */
const refusals = [1044, 1045, 1049, 1130, 1698, 1820, 1862, 3118, 3159, 3955];
/** While rights or tables are taken and given. */
const denials = [1044, 1142, 1143, 1146, 1227, 1370];

describe('a patient pool', () => {
  it.each(refusals)('that has worked waits for whoever lets it in again, and says what to do: %d', async (errno) => {
    const pool = open(true);
    await read(pool);
    mysql.refusal = errno;
    mysql.breakOff();
    // The first one may meet the connection that was broken off.
    await read(pool).catch(() => undefined);
    await expect(read(pool)).rejects.toMatchObject(waits(errno));
    await clock.advance(24 * 3_600_000);
    await expect(read(pool)).rejects.toMatchObject(waits(errno));
    mysql.refusal = undefined;
    expect(await read(pool)).toHaveLength(1);
  });

  it.each(refusals)('waits at its start too: %d', async (errno) => {
    const pool = open(true);
    mysql.refusal = errno;
    await expect(read(pool)).rejects.toMatchObject(waits(errno));
    mysql.refusal = undefined;
    expect(await read(pool)).toHaveLength(1);
  });

  it.each(denials)('waits for rights and tables that were taken: %d', async (errno) => {
    const pool = open(true);
    await read(pool);
    mysql.denial = errno;
    await expect(read(pool)).rejects.toMatchObject({ name: 'Unavailable' });
    await clock.advance(50_000);
    await expect(read(pool)).rejects.toMatchObject(waits(errno));
    mysql.denial = undefined;
    expect(await read(pool)).toHaveLength(1);
  });

  it('gets rights that are given meanwhile: it asks with another connection, because the old one keeps what it had', async () => {
    const pool = open(true);
    mysql.denial = 1044;
    await read(pool).catch(() => undefined);
    mysql.denial = undefined;
    await read(pool);
    expect(mysql.connections).toBe(2);
  });

  it('does not wait for mistakes of ours', async () => {
    const pool = open(true);
    mysql.denial = 1064;
    await expect(read(pool)).rejects.toMatchObject({ errno: 1064 });
  });

  it.each([1052, 1064, 1136, 1305, 1054])(
    'takes no answer to what it writes for a mistake of ours, because a trigger of an application may have made it: %d',
    async (errno) => {
      const pool = open(true);
      await read(pool);
      mysql.denial = errno;
      const write = () => pool.run('UPDATE scheduled_messages SET state=state');
      for (const run of [write, () => pool.transaction((sql) => sql.run('DO 1'))]) {
        await expect(run()).rejects.toMatchObject({ name: 'Unavailable' });
        await clock.advance(61_000);
        await expect(run()).rejects.toMatchObject({
          name: 'Unavailable',
          message: expect.stringContaining(`${errno}`),
        });
        await clock.advance(31_000);
        await expect(run()).rejects.toMatchObject({ name: 'Unavailable' });
      }
      mysql.denial = undefined;
      expect(await read(pool)).toHaveLength(1);
    },
  );

  it('takes an unknown column for a schema that is not there yet, and when it has worked, after half a minute, for ours', async () => {
    const pool = open(true);
    mysql.denial = 1054;
    await expect(read(pool)).rejects.toMatchObject({ name: 'Unavailable' });
    mysql.denial = undefined;
    await read(pool);
    mysql.denial = 1054;
    await expect(read(pool)).rejects.toMatchObject({ name: 'Unavailable' });
    await clock.advance(31_000);
    await expect(read(pool)).rejects.toMatchObject({ name: 'UserError' });
  });
});

it('a worker waits for its lease and for its work', async () => {
  const { session, work } = openWorkerPools(mysql.url, clock);
  pools.push(session, work);
  mysql.refusal = 1045;
  for (const pool of [session, work]) await expect(read(pool)).rejects.toMatchObject(waits(1045));
});

it('a worker whose user may have few connections keeps its lease: its work gives one up', async () => {
  mysql.limit = 2;
  const { session, work } = openWorkerPools(mysql.url, clock);
  pools.push(session, work);
  await Promise.all([read(work), read(work)]);
  await expect(read(session)).rejects.toMatchObject({
    name: 'Unavailable',
    message: expect.stringContaining('1226'),
  });
  // The server needs a moment to see that a connection was closed.
  await until('the session has room', () =>
    read(session).then(
      () => true,
      () => false,
    ),
  );
  // Both work with what they have.
  expect(await Promise.all([read(session), read(work)])).toHaveLength(2);
});

it.each(refusals)('a pool of a person’s command says at once what to do: %d', async (errno) => {
  const pool = open(false);
  await read(pool);
  mysql.refusal = errno;
  mysql.breakOff();
  await read(pool).catch(() => undefined);
  await expect(read(pool)).rejects.toMatchObject({ ...waits(errno), name: 'UserError' });
});
