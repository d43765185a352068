import { systemClock } from '../../../topology/core/clock';
import type { Fault } from './fault';
import { burst } from './moments';

/** A provider that does this to the first request of a message, and accepts the next one. */
function provider(name: string, query: string, count: number, short = false): Fault {
  return {
    name: `a provider that ${name}`,
    short,
    mostLateMs: 45_000,
    run: async (arena) => {
      await burst(arena, count, 1_500, `?once=yes&${query}`);
      await systemClock.sleep(1_500);
    },
  };
}

export const providerFaults: readonly Fault[] = [
  provider('accepts and drops the connection', 'drop=yes&accept=yes', 200, true),
  provider('accepts and answers 500', 'status=500&accept=yes', 200),
  provider('never finishes its body', 'body=endless', 200),
  provider('sends 1 GB', 'body=huge', 3),
  {
    name: 'one receiver never answers, with 5,000 messages due',
    short: false,
    mostLateMs: 10_000,
    run: async (arena) => {
      const silent = await arena.anotherReceiver();
      silent.isSilent = true;
      const dueAt = systemClock.now() + 2_000;
      await arena.clients.burst({ count: 5_000, dueAt, account: 'silent', url: silent.url, patient: true });
      for (let round = 0; round < 6; round++) {
        await burst(arena, 300, 2_000);
        await systemClock.sleep(5_000);
      }
      silent.isSilent = false;
    },
  },
];
