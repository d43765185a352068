import { systemClock } from '../../topology/core/clock';
import type { Fault } from './fault';
import { amid, burst } from './moments';

export const networkFaults: readonly Fault[] = [
  {
    name: 'MySQL is killed during claims',
    short: true,
    lateness: 45_000,
    run: async (arena) => {
      await burst(arena, 2_000, 1_500, '?delay=50');
      await amid(arena, 300);
      await arena.stack.kill('mysql');
      await arena.stack.restart('mysql');
    },
  },
  {
    name: 'the network to MySQL is half-open, then goes on',
    short: false,
    lateness: 90_000,
    run: async (arena) => {
      const { stack } = arena;
      await burst(arena, 500, 1_000, '?delay=50');
      await systemClock.sleep(1_000);
      stack.network.mysql.freeze('all');
      await systemClock.sleep(15_000);
      stack.network.mysql.thaw();
    },
  },
  {
    name: 'connections to MySQL are half-open for longer than a lost claim is waited for, new ones work',
    short: false,
    lateness: 90_000,
    run: async (arena) => {
      const { stack } = arena;
      await burst(arena, 500, 1_000, '?delay=50');
      await systemClock.sleep(1_000);
      stack.network.mysql.freeze('present');
      await systemClock.sleep(40_000);
      stack.network.mysql.thaw();
    },
  },
  {
    name: 'the network to Kafka is half-open',
    short: false,
    lateness: 90_000,
    run: async ({ stack }) => {
      stack.network.kafka.freeze('all');
      await systemClock.sleep(15_000);
      stack.network.kafka.thaw();
    },
  },
  {
    name: 'connections to MySQL and Kafka are reset',
    short: false,
    lateness: 30_000,
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
    lateness: 30_000,
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
    name: 'MySQL hangs for longer than a lease, then goes on',
    short: false,
    lateness: 90_000,
    run: async (arena) => {
      await burst(arena, 500, 1_000, '?delay=50');
      await amid(arena, 100);
      arena.stack.signal('mysql', 'SIGSTOP');
      await systemClock.sleep(20_000);
      arena.stack.signal('mysql', 'SIGCONT');
    },
  },
];
