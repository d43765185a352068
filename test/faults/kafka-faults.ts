import { systemClock } from '../../topology/core/clock';
import type { Fault } from './fault';

export const kafkaFaults: readonly Fault[] = [
  {
    name: 'Kafka is killed and down for some seconds while messages come due',
    short: true,
    lateness: 30_000,
    run: async ({ stack }) => {
      await stack.kill('kafka');
      await systemClock.sleep(5_000);
      await stack.restart('kafka');
    },
  },
  {
    name: 'Kafka is down for a minute',
    short: false,
    lateness: 90_000,
    run: async ({ stack }) => {
      await stack.kill('kafka');
      await systemClock.sleep(60_000);
      await stack.restart('kafka');
    },
  },
  {
    name: 'Connect is killed and down while 2,000 messages come due',
    short: true,
    lateness: 8_000,
    run: async ({ stack, clients }) => {
      await stack.kill('connect');
      await clients.burst({ count: 2_000, dueAt: systemClock.now() + 2_000 });
      await systemClock.sleep(6_000);
      await stack.restart('connect');
    },
  },
];
