import { setUpTopics } from '../../../connectors/kafka/topic-set-up';
import { run } from '../../../deploy/stack/host/commands';
import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import { removeTopics } from '../../support/stack/removal';
import { until } from '../../support/until';
import type { Arena } from '../world/arena';
import type { Fault } from './fault';
import { amid, burst } from './moments';

export const kafkaFaults: readonly Fault[] = [
  {
    name: 'Kafka is killed and down for some seconds while messages come due',
    short: true,
    mostLateMs: 45_000,
    run: async ({ stack }) => {
      await stack.kill('kafka');
      await systemClock.sleep(3_000);
      await stack.restart('kafka');
    },
  },
  {
    name: 'Kafka is down for a minute',
    short: false,
    mostLateMs: 120_000,
    run: async ({ stack }) => {
      await stack.kill('kafka');
      await systemClock.sleep(60_000);
      await stack.restart('kafka');
    },
  },
  {
    name: 'Kafka hangs, then continues',
    short: false,
    mostLateMs: 60_000,
    run: async ({ stack }) => {
      stack.signal('kafka', 'SIGSTOP');
      await systemClock.sleep(15_000);
      stack.signal('kafka', 'SIGCONT');
    },
  },
  {
    name: "Kafka's disk is full",
    short: false,
    mostLateMs: 60_000,
    run: async (arena) => {
      const { stack } = arena;
      // No file may grow: what a full disk answers, without a disk to fill.
      await run('prlimit', ['--pid', String(stack.pidOf('kafka')), '--fsize=4096']);
      await burst(arena, 500, 2_500);
      await systemClock.sleep(8_000);
      if (stack.isAlive('kafka')) await stack.kill('kafka');
      await stack.restart('kafka');
    },
  },
  {
    name: 'a due topic is deleted and made again',
    short: false,
    mostLateMs: 60_000,
    run: async (arena) => {
      const brokers = required(arena.environment, 'KAFKA_BROKERS');
      await burst(arena, 500, 3_000);
      await removeTopics(brokers, 'due.webhook');
      await systemClock.sleep(1_000);
      await setUpTopics(brokers, [{ name: 'due.webhook', partitions: 8 }]);
    },
  },
];

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
];

/** The task loses its rights and its connection, and gets the rights back when it has failed. The spout must restart it. */
async function failTask(arena: Arena): Promise<void> {
  const { sql, connector } = arena;
  const isFailed = async () => (await connector.status())?.tasks.some(({ state }) => state === 'FAILED') === true;
  await sql.run("REVOKE REPLICATION SLAVE, REPLICATION CLIENT ON *.* FROM 'downspout_cdc'");
  const dumps = await sql.rows<[number]>("SELECT id FROM information_schema.processlist WHERE user = 'downspout_cdc'");
  for (const [id] of dumps) await sql.run(`KILL ${id}`).catch(() => undefined);
  await until('the task has failed', isFailed);
  await burst(arena, 500, 1_500);
  await sql.run("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'downspout_cdc'");
}

async function killed({ crew }: Arena, name: string): Promise<void> {
  crew.signal(name, 'SIGKILL');
  await until(`${name} is started again`, () => crew.pidOf(name) !== null);
}
