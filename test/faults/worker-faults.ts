import { systemClock } from '../../topology/core/clock';
import { until } from '../support/until';
import type { Arena } from './arena';
import type { Fault } from './fault';

/** A lease, Kafka's session, and the spout's interval are over after this. Milliseconds. */
const BURIED = 20_000;

export const workerFaults: readonly Fault[] = [
  {
    name: 'spouts and bolts are killed at random through a burst',
    short: true,
    lateness: 30_000,
    run: async (arena, random) => {
      await burst(arena, 2_000, 2_000, '?delay=200');
      for (let kill = 0; kill < 4; kill++) {
        await systemClock.sleep(random.between(300, 2_500));
        const alive = arena.crew.names.filter((name) => arena.crew.pidOf(name) !== null);
        if (alive.length > 0) arena.crew.signal(random.pick(alive), 'SIGKILL');
      }
    },
  },
  {
    name: 'a bolt is stopped past its lease and goes on (zombie)',
    short: true,
    lateness: 30_000,
    run: async (arena) => {
      await burst(arena, 1_000, 1_000, '?delay=400');
      await amid(arena, 200);
      await zombie(arena, 'webhook-0');
    },
  },
  {
    name: 'a spout is stopped past its lease and goes on (zombie)',
    short: false,
    lateness: 30_000,
    run: async (arena) => {
      await burst(arena, 1_000, 3_000);
      await zombie(arena, 'due-0');
    },
  },
];

/** Messages due together, `ahead` milliseconds from now. */
async function burst(arena: Arena, count: number, ahead: number, query = ''): Promise<void> {
  await arena.clients.burst({ count, dueAt: systemClock.now() + ahead, query });
}

/** Resolves when so many requests more have come. */
async function amid({ receiver }: Arena, count: number): Promise<void> {
  const before = receiver.journal.length;
  await receiver.until(() => receiver.journal.length >= before + count);
}

/** Stops a worker until it was marked dead, lets it go on, and sees it end without having sent or written anything. */
async function zombie(arena: Arena, name: string): Promise<void> {
  const { crew, sql } = arena;
  const session = await arena.sessionOf(name);
  const pid = crew.pidOf(name);
  crew.signal(name, 'SIGSTOP');
  const isDead = async () => {
    const [row] = await sql.rows<[number]>(`SELECT dead FROM workers WHERE session = X'${session}'`);
    return row?.[0] === 1;
  };
  try {
    const limit = systemClock.monotonic() + BURIED;
    while (!(await isDead()) && systemClock.monotonic() < limit) await systemClock.sleep(100);
  } finally {
    crew.signal(name, 'SIGCONT');
  }
  if (!(await isDead())) return;
  await until(`${name} has noticed that it is dead and ended`, () => crew.pidOf(name) !== pid, 30_000);
}
