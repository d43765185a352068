import { crc32 } from 'node:zlib';
import { ConnectRest } from '../../connectors/debezium/connect-rest';
import { Connector } from '../../connectors/debezium/connector';
import { ConnectorHealth } from '../../connectors/debezium/connector-health';
import { captureNames } from '../../connectors/debezium/settings';
import { KafkaAdmin } from '../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../connectors/kafka/kafka-client';
import { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import { binlogFaults } from '../../connectors/mysql/schema/binlog-settings';
import { Pool } from '../../connectors/mysql/sql/pool';
import { provision } from '../../deploy/provision';
import { systemClock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import { type ConnectConnection, connectConnectionOf, operatorUrl } from '../../topology/settings/connections';
import { required } from '../../topology/settings/environment';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { freshWorld, testSettings, type World } from '../support/stack/stack';
import { until } from '../support/until';

let world: World;
let admin: KafkaAdmin;

beforeAll(async () => {
  world = await freshWorld(testSettings('{ due: { partitions: 2 }, webhook: { partitions: 3 } }'));
  const brokers = required(world.environment, 'KAFKA_BROKERS');
  admin = new KafkaAdmin(kafkaClient({ brokers, clientId: 'test', log: () => undefined }));
}, 60_000);

afterAll(async () => {
  await admin.close();
  await world.close();
}, 60_000);

async function again(settings: TopologySettings): Promise<Record<string, string>> {
  const said: Record<string, string> = {};
  await provision(world.environment, settings, systemClock, (step, text) => {
    said[step] = text;
  });
  return said;
}

function topics(): { changes: string; heartbeats: string } {
  return captureNames(world.environment.DOWNSPOUT_NAMESPACE);
}

async function written(topic: string): Promise<number[]> {
  return (await admin.logs(topic)).map(({ high }) => high);
}

describe('provision', () => {
  it('makes the topics of topology.yaml', async () => {
    expect(await admin.partitions(topics().changes)).toBe(2);
    expect(await admin.partitions(topics().heartbeats)).toBe(1);
    expect(await admin.partitions(topics().changes.replace('schedule-changes', 'due.webhook'))).toBe(3);
  });

  it('leaves no probe behind', async () => {
    const pool = Pool.open(required(world.environment, 'DATABASE_URL'), { clock: systemClock, size: 1 });
    expect(await pool.rows('SELECT COUNT(*) FROM scheduled_messages')).toEqual([[0]]);
    await pool.close();
  });

  it('gives Connect a reference to the password of MySQL, and not the password', async () => {
    const { environment } = world;
    const rest = new ConnectRest(connectConnectionOf(environment) as ConnectConnection);
    const { text } = await rest.request('GET', `/connectors/${topics().changes}/config`);
    expect(JSON.parse(text)).toMatchObject({
      'database.user': 'downspout_cdc',
      'database.password': '${env:DOWNSPOUT_CDC_PASSWORD}',
    });
    expect(text).not.toContain(decodeURIComponent(new URL(required(environment, 'CDC_DATABASE_URL')).password));
  });

  it('can be repeated', async () => {
    const said = await again(world.settings);
    expect(said['database']).toBe('the schema is up to date');
    expect(said['changes']).toMatch(/^a change came through in \d+ ms$/);
  }, 60_000);

  it('leaves everything to somebody who is deploying', async () => {
    const pool = Pool.open(operatorUrl(world.environment), { clock: systemClock, size: 2 });
    const by = { who: 'ann', host: 'host-1', doing: 'deploy of release 7' };
    const lock = await DeployLock.take(pool, systemClock, by);
    await expect(again(world.settings)).rejects.toThrow(
      /^ann on host-1 has been at `deploy of release 7` since .*: run this again when that is done\.$/,
    );
    await lock.free();
    await pool.close();
    await again(world.settings);
  }, 60_000);

  it('sees CDC’s heartbeats', async () => {
    const { environment } = world;
    const connector = new Connector({ url: required(environment, 'CONNECT_URL') }, topics().changes, systemClock);
    const count = async () => (await written(topics().heartbeats)).reduce((sum, high) => sum + high, 0);
    const pool = Pool.open(required(environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 1 });
    const health = new ConnectorHealth({
      connector,
      countHeartbeats: count,
      binlogFaults: () => pool.use(binlogFaults),
      clock: systemClock,
    });
    const first = await count();
    while ((await count()) === first) await systemClock.sleep(50);
    expect(await health.check()).toEqual({ silentForMs: 0, unchangedForMs: 0, failures: [], obstacles: [] });
    await pool.close();
  }, 20_000);

  it('refuses a binlog that CDC cannot work with, and says what to set', async () => {
    const pool = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
    const [row] = await pool.rows<[number]>('SELECT @@GLOBAL.binlog_expire_logs_seconds');
    try {
      await pool.run('SET GLOBAL binlog_expire_logs_seconds=3600');
      const refused = again(world.settings);
      await expect(refused).rejects.toThrow(UserError);
      await expect(refused).rejects.toThrow(
        /binlog settings.*\n {2}binlog_expire_logs_seconds is 3600, .*SET PERSIST binlog_expire_logs_seconds=604800/,
      );
    } finally {
      await pool.run(`SET GLOBAL binlog_expire_logs_seconds=${row?.[0]}`);
      await pool.close();
    }
  }, 30_000);

  it('adds partitions, takes none away, and every shard goes to its partition among the new number', async () => {
    await again(testSettings('{ due: { partitions: 4 }, webhook: { partitions: 3 } }'));
    expect(await admin.partitions(topics().changes)).toBe(4);
    await expect(again(world.settings)).rejects.toThrow('has 4 partitions and topology.yaml says 2');

    const pool = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
    const before = await written(topics().changes);
    const accounts = Array.from({ length: 40 }, (_, n) => `('account-${n}', 'webhook', '{}', 946684800000)`);
    await pool.run(`INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ${accounts.join(',')}`);
    const rows = await pool.rows<[number, number]>(
      'SELECT shard % 4 AS p, COUNT(*) FROM scheduled_messages GROUP BY p ORDER BY p',
    );
    const added = async () => (await written(topics().changes)).map((high, p) => high - (before[p] ?? 0));
    const isThere = async () => (await added()).every((count, p) => count >= (rows[p]?.[1] ?? 0));
    await until('every row came through', isThere);
    // Of the probe that provisioning wrote, the last events may come after `before` was read.
    const ofProbe = (crc32('_probe') % 256) % 4;
    const others = (counts: readonly number[]) => counts.filter((_, p) => p !== ofProbe);
    expect(others(await added())).toEqual(others(rows.map(([, count]) => count)));
    await pool.close();
  }, 60_000);
});
