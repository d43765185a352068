import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import { FaultProxy } from '../../support/stack/fault-proxy';
import type { Arena } from '../world/arena';
import type { Crew } from '../world/crew';
import type { Fault } from './fault';
import { amid, burst, sent } from './moments';

export const networkFaults: readonly Fault[] = [
  {
    name: 'MySQL is killed during claims',
    short: true,
    mostLateMs: 45_000,
    run: async (arena) => {
      await burst(arena, 2_000, 1_500, '?delay=50');
      await amid(arena, 300);
      await arena.stack.kill('mysql');
      await arena.stack.restart('mysql');
    },
  },
  {
    name: 'the network to MySQL is half-open, then continues',
    short: false,
    mostLateMs: 90_000,
    run: (arena) => halfOpenAmidBurst(arena, 'all', 15_000),
  },
  {
    name: 'connections to MySQL are half-open for longer than a lost claim is waited for, new ones work',
    short: false,
    mostLateMs: 90_000,
    run: (arena) => halfOpenAmidBurst(arena, 'present', 40_000),
  },
  {
    name: 'the network to Kafka is half-open',
    short: false,
    mostLateMs: 90_000,
    run: ({ stack }) => halfOpen(stack.network.kafka, 'all', 15_000),
  },
  {
    name: 'a spout and a bolt lose MySQL and keep Kafka, and the others do their work',
    short: false,
    mostLateMs: 60_000,
    run: loseMySqlAlone,
  },
  {
    name: 'connections to MySQL and Kafka are reset',
    short: false,
    mostLateMs: 30_000,
    run: async ({ stack }) => {
      for (let reset = 0; reset < 5; reset++) {
        stack.network.mysql.reset();
        stack.network.kafka.reset();
        await systemClock.sleep(700);
      }
    },
  },
  {
    name: 'the network to MySQL and Kafka is slow',
    short: false,
    mostLateMs: 30_000,
    run: async (arena) => {
      const { mysql, kafka } = arena.stack.network;
      for (const latency of [50, 200]) {
        mysql.latency = latency;
        kafka.latency = latency;
        await burst(arena, 300, 4_000);
        await systemClock.sleep(6_000);
      }
      mysql.latency = 0;
      kafka.latency = 0;
    },
  },
  {
    name: 'MySQL hangs for longer than a lease, then continues',
    short: false,
    mostLateMs: 90_000,
    run: async (arena) => {
      await burst(arena, 500, 1_000, '?delay=50');
      await amid(arena, 100);
      arena.stack.signal('mysql', 'SIGSTOP');
      await systemClock.sleep(20_000);
      arena.stack.signal('mysql', 'SIGCONT');
    },
  },
];

/** Everything that becomes due is delivered while the two are still cut off, and then they take part again. */
async function loseMySqlAlone(arena: Arena): Promise<void> {
  const { crew, environment } = arena;
  const url = new URL(required(environment, 'WORKER_DATABASE_URL'));
  const proxy = await FaultProxy.start();
  proxy.target = Number(url.port);
  url.port = String(proxy.port);
  const cutOff = ['due-1', 'webhook-1'];
  try {
    await replace(crew, cutOff, { WORKER_DATABASE_URL: url.href });
    await arena.recovered();
    proxy.freeze('all');
    await sent(arena, await burst(arena, 500, 1_000));
    proxy.thaw();
    await arena.recovered();
  } finally {
    proxy.thaw();
    await replace(crew, cutOff, {});
    await proxy.close();
  }
}

async function replace(crew: Crew, names: readonly string[], own: Readonly<Record<string, string>>): Promise<void> {
  for (const name of names) {
    await crew.stop(name);
    crew.start(name, own);
  }
}

/** Connections to MySQL, all of them or those that there are, are half-open for so many milliseconds. */
async function halfOpenAmidBurst(arena: Arena, which: 'all' | 'present', duration: number): Promise<void> {
  await burst(arena, 500, 1_000, '?delay=50');
  await systemClock.sleep(1_000);
  await halfOpen(arena.stack.network.mysql, which, duration);
}

async function halfOpen(proxy: FaultProxy, which: 'all' | 'present', duration: number): Promise<void> {
  proxy.freeze(which);
  await systemClock.sleep(duration);
  proxy.thaw();
}
