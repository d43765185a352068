import { join } from 'node:path';
import { systemClock } from '../../../topology/core/clock';
import { packageRoot } from '../../../topology/settings/package';
import { until } from '../../support/until';
import { type Arena, WORKERS } from '../world/arena';
import type { Fault } from './fault';
import { amid, burst } from './moments';

/** A lease, Kafka's session and the spout's interval are over by then. */
const MARKED_DEAD_MS = 30_000;
const HOUR_MS = 3_600_000;
/** Rows of one statement. */
const PIECE = 5_000;
/** Ids go in steps of two, because a second master has those between. */
const STEP = 2;

export const workerFaults: readonly Fault[] = [
  {
    name: 'spouts and bolts are killed at random through a burst',
    short: true,
    mostLateMs: 60_000,
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
    name: 'a bolt is stopped past its lease and continues (zombie)',
    short: true,
    mostLateMs: 60_000,
    run: async (arena) => {
      await burst(arena, 1_000, 1_000, '?delay=400');
      await amid(arena, 200);
      await zombie(arena, 'webhook-0');
    },
  },
  {
    name: 'a spout is stopped past its session and continues (zombie)',
    short: false,
    mostLateMs: 45_000,
    run: async (arena) => {
      await burst(arena, 1_000, 3_000);
      arena.crew.signal('due-0', 'SIGSTOP');
      await systemClock.sleep(MARKED_DEAD_MS / 2);
      arena.crew.signal('due-0', 'SIGCONT');
    },
  },
  {
    name: "workers' wall clocks are an hour wrong in either direction",
    short: false,
    mostLateMs: 15_000,
    run: async (arena) => {
      // One after the other, so that some worker sends all the time.
      for (const [index, name] of WORKERS.entries()) {
        await arena.crew.stop(name);
        arena.crew.start(name, wrongClock(index % 2 === 0 ? HOUR_MS + 60_000 : -HOUR_MS));
      }
      await arena.recovered();
      await burst(arena, 1_000, 2_500);
      await amid(arena, 1_000);
      for (const name of WORKERS) {
        await arena.crew.stop(name);
        arena.crew.start(name);
      }
    },
  },
  {
    name: 'a storm of rebalances',
    short: false,
    mostLateMs: 45_000,
    run: async (arena) => {
      const { crew } = arena;
      for (let round = 0; round < 5; round++) {
        await burst(arena, 300, 2_000);
        for (const name of ['due-2', 'webhook-2']) crew.start(name);
        await systemClock.sleep(1_500);
        for (const name of ['due-2', 'webhook-2']) await crew.stop(name);
      }
    },
  },
  {
    name: 'spouts with little memory and a million rows, 300,000 of them due soon',
    short: false,
    mostLateMs: 60_000,
    run: async (arena) => {
      const { crew } = arena;
      const spouts = ['due-0', 'due-1'];
      const far = await insertMany(arena, 700_000, systemClock.now() + 24 * HOUR_MS);
      for (const name of spouts) {
        await crew.stop(name);
        crew.start(name, { NODE_OPTIONS: '--max-old-space-size=96' });
      }
      await arena.recovered();
      const before = crew.restarts;
      // Within the spouts' horizon, and gone before they are due.
      const dueAt = systemClock.now() + 100_000;
      const soon = await insertMany(arena, 300_000, dueAt);
      while (systemClock.now() < dueAt - 50_000) {
        await burst(arena, 100, 1_000);
        await systemClock.sleep(5_000);
      }
      await deleteMany(arena, soon);
      if (systemClock.now() > dueAt)
        throw new Error('rows came due before they were gone: this machine is too slow for it');
      if (crew.restarts > before) throw new Error('a spout ran out of memory');
      await deleteMany(arena, far);
      for (const name of spouts) {
        await crew.stop(name);
        crew.start(name);
      }
    },
  },
];

/** Stops a worker until it is marked dead, lets it continue, and checks that it ends without a request past its lease. */
async function zombie(arena: Arena, name: string): Promise<void> {
  const { crew, sql, receiver } = arena;
  const session = await arena.sessionOf(name);
  const pid = crew.pidOf(name);
  const isDead = async () => {
    const [row] = await sql.rows<[number]>(`SELECT dead FROM workers WHERE session = X'${session}'`);
    return row?.[0] === 1;
  };
  crew.signal(name, 'SIGSTOP');
  try {
    await until(`${name} is marked dead`, isDead, MARKED_DEAD_MS);
    await until('what it had claimed is sent by others', async () => (await ownedBy(arena, session)) === 0);
  } finally {
    crew.signal(name, 'SIGCONT');
  }
  await until(`${name} has noticed that it is dead and ended`, () => crew.pidOf(name) !== pid);
  const [late] = await sql.rows<[number]>(
    `SELECT COUNT(*) FROM delivery_attempts a JOIN workers w ON w.session = a.session
       WHERE a.session = X'${session}' AND a.started_at > w.lease_until`,
  );
  if (late?.[0] !== 0) throw new Error(`the zombie began ${late?.[0]} requests past its lease`);
  if (receiver.journal.length === 0) throw new Error('nothing was sent at all');
}

async function ownedBy({ sql }: Arena, session: string): Promise<number> {
  const [row] = await sql.rows<[number]>(
    `SELECT COUNT(*) FROM scheduled_messages WHERE state = 'sending' AND claim = X'${session}'`,
  );
  return row?.[0] ?? 0;
}

function wrongClock(shift: number): Record<string, string> {
  const preload = join(packageRoot(), 'test', 'support', 'clock-shift.cjs');
  return { NODE_OPTIONS: `--require ${JSON.stringify(preload)}`, CLOCK_SHIFT: String(shift) };
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Inserts rows of many accounts that the clients do not know. @returns the range of their ids */
async function insertMany({ sql }: Arena, count: number, dueAt: number): Promise<Range> {
  const ids: number[] = [];
  for (let done = 0; done < count; done += PIECE) {
    const rows = Array.from(
      { length: PIECE },
      (_, at) => `('many-${(done + at) % 5_000}','webhook','{"url":"http://127.0.0.1:1/","body":1}',${dueAt})`,
    );
    const { insertId } = await sql.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ${rows.join(',')}`,
    );
    ids.push(insertId);
  }
  return { from: Math.min(...ids), to: Math.max(...ids) + STEP * PIECE };
}

async function deleteMany({ sql }: Arena, { from, to }: Range): Promise<void> {
  for (let id = from; id <= to; id += PIECE) {
    await sql.run(`DELETE FROM scheduled_messages WHERE id BETWEEN ${id} AND ${id + PIECE - 1} AND dedupe_key IS NULL`);
  }
}
