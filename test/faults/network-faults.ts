import { systemClock } from '../../topology/core/clock';
import type { Fault } from './fault';

export const networkFaults: readonly Fault[] = [
  {
    name: 'MySQL is killed during claims',
    short: true,
    lateness: 25_000,
    run: async ({ stack, clients, receiver }) => {
      await clients.burst({ count: 2_000, dueAt: systemClock.now() + 1_500, query: '?delay=50' });
      await receiver.until(() => receiver.journal.length >= 300);
      await stack.kill('mysql');
      await stack.restart('mysql');
    },
  },
  {
    name: 'the network to MySQL is half-open, then goes on',
    short: true,
    lateness: 60_000,
    run: async ({ stack, clients }) => {
      await clients.burst({ count: 500, dueAt: systemClock.now() + 1_000, query: '?delay=50' });
      await systemClock.sleep(1_000);
      stack.network.mysql.freeze('all');
      await systemClock.sleep(15_000);
      stack.network.mysql.thaw();
    },
  },
  {
    name: 'connections to MySQL are half-open for longer than a lost claim is waited for, new ones work',
    short: false,
    lateness: 60_000,
    run: async ({ stack, clients }) => {
      await clients.burst({ count: 500, dueAt: systemClock.now() + 1_000, query: '?delay=50' });
      await systemClock.sleep(1_000);
      stack.network.mysql.freeze('present');
      await systemClock.sleep(40_000);
      stack.network.mysql.thaw();
    },
  },
  {
    name: 'the network to Kafka is half-open',
    short: false,
    lateness: 60_000,
    run: async ({ stack }) => {
      stack.network.kafka.freeze('all');
      await systemClock.sleep(15_000);
      stack.network.kafka.thaw();
    },
  },
  {
    name: 'connections to MySQL and Kafka are reset',
    short: true,
    lateness: 10_000,
    run: async ({ stack }) => {
      for (let reset = 0; reset < 5; reset++) {
        stack.network.mysql.reset();
        stack.network.kafka.reset();
        await systemClock.sleep(700);
      }
    },
  },
];
