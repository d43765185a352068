import { systemClock } from '../../topology/core/clock';
import { idempotencyKey } from '../../topology/message';
import { Random } from '../support/random';
import { until } from '../support/until';
import { runOn, say } from './command';
import { burst } from './kinds/moments';
import { Arena } from './world/arena';
import { TwoHosts } from './world/two-hosts';

/** How long something may take to continue, at most. Times are milliseconds. */
interface Goal {
  readonly what: string;
  readonly target: number;
}

interface Recovery extends Goal {
  readonly measure: (arena: Arena) => Promise<number>;
}

const WARM_UP = 3;
const ROUNDS = 3;
/** One message for each of so many accounts: every partition has some. */
const SPREAD = 60;

const recoveries: readonly Recovery[] = [
  { what: 'bolt killed → what it was sending is sent again', target: 13_000, measure: killedBolt },
  {
    what: 'spout killed → messages of its partitions are sent',
    target: 10_000,
    measure: (arena) => lostSpout(arena, () => Promise.resolve(arena.crew.signal('due-0', 'SIGKILL'))),
  },
  {
    what: 'spout stopped in good order → messages of its partitions are sent',
    target: 2_000,
    measure: (arena) => lostSpout(arena, () => arena.crew.stop('due-0')),
  },
  {
    what: 'worker of a supervisor killed → it runs again',
    target: 2_000,
    measure: (arena) => onTwoHosts(arena, killedWorker),
  },
  {
    what: 'a whole host killed → messages of all partitions are sent',
    target: 13_000,
    measure: (arena) => onTwoHosts(arena, killedHost),
  },
  { what: 'Connect down → added lateness', target: 3_000, measure: connectDown },
  { what: 'Kafka answers again → first message is sent', target: 10_000, measure: kafkaRestart },
];

const measured = new Map<Goal, number[]>();

async function killedBolt(arena: Arena): Promise<number> {
  const { sql, crew, receiver } = arena;
  await burst(arena, 200, 1_000, '?delay=500');
  const session = await arena.sessionOf('webhook-0');
  let keys: string[] = [];
  await until('it is sending', async () => {
    const rows = await sql.rows<[string, number, number]>(
      'SELECT HEX(d.id), m.id, m.plan_number FROM deployment d JOIN scheduled_messages m ' +
        `WHERE m.state = 'sending' AND m.claim = X'${session}'`,
    );
    keys = rows.map(([deployment, id, plan]) => idempotencyKey(deployment.toLowerCase(), id, plan));
    return keys.length >= 50;
  });
  const killedAt = systemClock.now();
  crew.signal('webhook-0', 'SIGKILL');
  // Whatever had gone out is in doubt, and goes out again.
  const sentAgain = () => {
    const again = receiver.journal.filter(({ at }) => at > killedAt);
    const sent = new Map(again.map(({ key, at }) => [key, at]));
    return keys.map((key) => sent.get(key) ?? Number.POSITIVE_INFINITY);
  };
  await receiver.until(() => sentAgain().every(Number.isFinite));
  return Math.max(...sentAgain()) - killedAt;
}

async function lostSpout(arena: Arena, lose: () => Promise<void>): Promise<number> {
  const lostAt = systemClock.monotonic();
  const lost = lose();
  await burst(arena, SPREAD, 0);
  await arena.receiver.until(() => arena.receiver.accepted.length >= SPREAD);
  const took = systemClock.monotonic() - lostAt;
  await lost;
  return took;
}

async function onTwoHosts(arena: Arena, measure: (arena: Arena, both: TwoHosts) => Promise<number>): Promise<number> {
  const both = await TwoHosts.start(arena);
  try {
    return await measure(arena, both);
  } finally {
    await both.stop();
  }
}

async function killedWorker(_: Arena, { hosts: [host] }: TwoHosts): Promise<number> {
  const before = host.pids;
  const [killed] = before as [number];
  const killedAt = systemClock.monotonic();
  process.kill(killed, 'SIGKILL');
  await until('another process runs', () => host.pids.some((pid) => !before.includes(pid)));
  return systemClock.monotonic() - killedAt;
}

/** What it was sending is sent again, and what comes due meanwhile is sent by the other host. */
async function killedHost(arena: Arena, { hosts: [host] }: TwoHosts): Promise<number> {
  const keys = await burst(arena, SPREAD, 1_000, '?delay=500');
  await arena.receiver.until(() => arena.receiver.journal.length >= SPREAD / 2);
  const killedAt = systemClock.monotonic();
  await host.die();
  keys.push(...(await burst(arena, SPREAD, 0)));
  const isAccepted = () => {
    const accepted = new Set(arena.receiver.accepted.map(({ path }) => path.split('/').at(-2)));
    return keys.every((key) => accepted.has(key));
  };
  await until('each of them is accepted', isAccepted);
  return systemClock.monotonic() - killedAt;
}

async function connectDown(arena: Arena): Promise<number> {
  const usual = await latenessOfBurst(arena);
  await arena.begin(new Random(1));
  await arena.stack.kill('connect');
  const without = await latenessOfBurst(arena);
  return without - usual;
}

/** The lateness of the last of 2,000 messages that are due together. */
async function latenessOfBurst(arena: Arena): Promise<number> {
  const dueAt = systemClock.now() + 2_000;
  await arena.clients.burst({ count: 2_000, dueAt });
  await arena.receiver.until(() => arena.receiver.accepted.length >= 2_000);
  return Math.max(...arena.receiver.accepted.map(({ at }) => at)) - dueAt;
}

async function kafkaRestart(arena: Arena): Promise<number> {
  await arena.stack.kill('kafka');
  await burst(arena, SPREAD, 1_000);
  await systemClock.sleep(5_000);
  await arena.stack.restart('kafka');
  const readyAt = systemClock.monotonic();
  await arena.receiver.until(() => arena.receiver.accepted.length > 0);
  return systemClock.monotonic() - readyAt;
}

function note(goal: Goal, took: number): void {
  measured.set(goal, [...(measured.get(goal) ?? []), took]);
  say(`${goal.what}: ${seconds(took)}`);
}

async function measureAll(arena: Arena): Promise<void> {
  // The JVMs are slow in their first minute.
  for (let round = 0; round < WARM_UP; round++) {
    await arena.begin(new Random(round));
    await latenessOfBurst(arena);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const recovery of recoveries) {
      await arena.begin(new Random(round));
      note(recovery, await recovery.measure(arena));
      await arena.recovered();
      await arena.settled();
    }
  }
}

async function main(): Promise<void> {
  await runOn(() => Arena.start(say), measureAll);
  print();
}

/** The table as docs/reliability.md shows it. */
function print(): void {
  const lines = ['| what happens | target | measured | |', '|---|---|---|---|'];
  for (const [{ what, target }, all] of measured) {
    const holds = all.every((took) => took <= target);
    if (!holds) process.exitCode = 1;
    lines.push(`| ${what} | ≤ ${seconds(target)} | ${all.map(seconds).join(', ')} | ${holds ? 'holds' : 'MISSED'} |`);
  }
  process.stdout.write(`\n${lines.join('\n')}\n`);
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}

void main();
