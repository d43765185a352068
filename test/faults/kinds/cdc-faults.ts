import { captureNames } from '../../../connectors/debezium/settings';
import { setUpTopics } from '../../../connectors/kafka/topic-set-up';
import { provision } from '../../../deploy/provision';
import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import { readTopologyFile } from '../../../topology/settings/topology-settings';
import { removeTopics } from '../../support/stack/removal';
import { until } from '../../support/until';
import type { Arena } from '../world/arena';
import type { Fault } from './fault';
import { amid, burst, changesComeThrough } from './moments';

export const cdcFaults: readonly Fault[] = [
  {
    name: 'Connect is killed and down while 2,000 messages come due',
    short: false,
    mostLateMs: 20_000,
    run: async (arena) => {
      await arena.stack.kill('connect');
      await burst(arena, 2_000, 2_000);
      await amid(arena, 2_000);
      await arena.stack.restart('connect');
    },
  },
  {
    name: "the connector's task fails, and is restarted by a spout",
    short: true,
    mostLateMs: 20_000,
    run: failTask,
  },
  {
    name: "the connector's task fails, and the spout that looks after it dies",
    short: false,
    mostLateMs: 45_000,
    run: async (arena) => {
      const owner = await arena.ownerOf('due', 0);
      await Promise.all([failTask(arena), killed(arena, owner)]);
    },
  },
  connectorIs('paused'),
  connectorIs('stopped'),
  {
    name: "the connector's history topic is lost, and provisioning heals it",
    short: false,
    mostLateMs: 45_000,
    run: async (arena) => {
      const brokers = required(arena.environment, 'KAFKA_BROKERS');
      await removeTopics(brokers, captureNames('').history);
      await arena.stack.kill('connect');
      await arena.stack.restart('connect');
      await burst(arena, 500, 2_000);
      await amid(arena, 500);
      await heal(arena);
    },
  },
  {
    name: 'schedule-changes is deleted and made again',
    short: false,
    mostLateMs: 60_000,
    run: async (arena) => {
      const brokers = required(arena.environment, 'KAFKA_BROKERS');
      const { partitions } = readTopologyFile().settings.spout;
      await burst(arena, 500, 3_000);
      await removeTopics(brokers, captureNames('').changes);
      await systemClock.sleep(1_000);
      await setUpTopics(brokers, [{ name: captureNames('').changes, partitions }]);
      await changesComeThrough(arena);
    },
  },
];

/** Somebody pauses or stops it in a user interface; Connect keeps that over restarts. */
function connectorIs(state: 'paused' | 'stopped'): Fault {
  return {
    name: `the connector is ${state}, and provisioning heals it`,
    short: false,
    mostLateMs: 20_000,
    run: async (arena) => {
      const url = required(arena.environment, 'CONNECT_URL');
      const verb = state === 'paused' ? 'pause' : 'stop';
      await fetch(`${url}/connectors/${captureNames('').connector}/${verb}`, { method: 'PUT' });
      const expected = state.toUpperCase();
      await until(`the connector is ${state}`, async () => (await arena.connector.status())?.state === expected);
      await burst(arena, 500, 2_000);
      await amid(arena, 500);
      await heal(arena);
    },
  };
}

/** As an operator does it with `downspout up` or its like. */
async function heal(arena: Arena): Promise<void> {
  await provision(arena.environment, readTopologyFile().settings, systemClock, () => undefined);
  await changesComeThrough(arena);
}

/**
 * The task loses its rights and its connection, and gets the rights back when it has failed. The spout must restart it,
 * also when Debezium stands still at the denial and goes on saying RUNNING.
 */
async function failTask(arena: Arena): Promise<void> {
  const { sql, connector } = arena;
  const isFailed = async () => (await connector.status())?.tasks.some(({ state }) => state === 'FAILED') === true;
  await sql.run("REVOKE REPLICATION SLAVE, REPLICATION CLIENT ON *.* FROM 'downspout_cdc'");
  const dumps = await sql.rows<[number]>("SELECT id FROM information_schema.processlist WHERE user = 'downspout_cdc'");
  for (const [id] of dumps) await sql.run(`KILL ${id}`).catch(() => undefined);
  try {
    await until('the task has failed', isFailed);
    await burst(arena, 500, 1_500);
  } finally {
    await sql.run("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'downspout_cdc'");
  }
}

async function killed({ crew }: Arena, name: string): Promise<void> {
  crew.signal(name, 'SIGKILL');
  await until(`${name} is started again`, () => crew.pidOf(name) !== null);
}
