import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import { percentDecoded } from '../../../topology/settings/url-parts';
import type { Arena } from '../world/arena';
import type { Fault } from './fault';
import { burst, changesComeThrough } from './moments';

/** Longer than a lease, so that the workers leave their groups meanwhile. */
const LOCKED_OUT_MS = 15_000;

/** What MySQL refuses the workers for a while, although it runs: none of them may end. */
export const accessFaults: readonly Fault[] = [
  {
    name: "the workers' user is locked",
    short: false,
    mostLateMs: 60_000,
    run: (arena) => lockedOut(arena, 'ACCOUNT LOCK', 'ACCOUNT UNLOCK'),
  },
  {
    name: "the workers' user has another password",
    short: false,
    mostLateMs: 60_000,
    run: (arena) => {
      const { password } = workersUser(arena);
      return lockedOut(arena, "IDENTIFIED BY 'another One 7!'", `IDENTIFIED BY '${password}'`);
    },
  },
  {
    name: "the workers' user may have four connections a worker",
    short: false,
    mostLateMs: 60_000,
    run: async (arena) => {
      const most = 4 * arena.crew.names.length;
      await lockedOut(arena, `WITH MAX_USER_CONNECTIONS ${most}`, 'WITH MAX_USER_CONNECTIONS 0', burst);
    },
  },
];

function workersUser({ environment }: Arena): { readonly user: string; readonly password: string } {
  const { username, password } = new URL(required(environment, 'WORKER_DATABASE_URL'));
  return { user: percentDecoded(username), password: percentDecoded(password) };
}

/** Changes what the workers' user may do, breaks its connections off, and changes it back. */
async function lockedOut(
  arena: Arena,
  away: string,
  back: string,
  meanwhile: (arena: Arena, count: number, aheadMs: number) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const { sql, crew } = arena;
  const { user } = workersUser(arena);
  const before = crew.restarts;
  await burst(arena, 500, 2_000);
  await sql.run(`ALTER USER '${user}'@'%' ${away}`);
  try {
    const open = await sql.rows<[number]>(`SELECT id FROM information_schema.processlist WHERE user = '${user}'`);
    for (const [id] of open) await sql.run(`KILL ${id}`).catch(() => undefined);
    await meanwhile(arena, 500, 2_000);
    await systemClock.sleep(LOCKED_OUT_MS);
  } finally {
    await sql.run(`ALTER USER '${user}'@'%' ${back}`);
  }
  await changesComeThrough(arena);
  if (crew.restarts > before) throw new Error(`${crew.restarts - before} workers ended`);
}
