import { systemClock } from '../../topology/core/clock';
import { idempotencyKey } from '../../topology/message';
import { Random } from '../support/random';
import { Deployment } from '../support/stack/deployment';
import { until } from '../support/until';
import { runOn, say } from './command';
import { burst } from './kinds/moments';
import { Arena } from './world/arena';
import { HaWorld, whenThere } from './world/ha-world';

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
  { what: 'Connect down → added lateness', target: 3_000, measure: connectDown },
  { what: 'Kafka answers again → first message is sent', target: 10_000, measure: kafkaRestart },
];

const failover: Goal = { what: 'the active one of two MySQL masters killed → first message is sent', target: 5_000 };
/** Messages around a failover: one in so many milliseconds, for so long. */
const EVERY = 50;
const AROUND = 20_000;

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

/** From the kill to the first request of a message that was due after it, so that its claim was. */
async function killedMaster(world: HaWorld, { client, receiver }: Deployment): Promise<number> {
  const from = systemClock.now() + 1_000;
  const messages = Array.from({ length: AROUND / EVERY }, (_, n) => ({
    account: `account-${n % SPREAD}`,
    channel: 'webhook' as const,
    dueAt: from + n * EVERY,
    payload: { url: receiver.url, headers: { 'x-due-at': String(from + n * EVERY) }, body: n },
  }));
  await client.schedule(messages);
  await receiver.until(() => receiver.accepted.some(({ at }) => at > from));
  const { active } = await world.roles();
  const killedAt = systemClock.now();
  world.signal(active, 'SIGKILL');
  const sent = () => receiver.journal.find(({ headers }) => Number(headers['x-due-at']) > killedAt + EVERY);
  await receiver.until(() => sent() !== undefined);
  return (sent()?.at ?? Number.POSITIVE_INFINITY) - killedAt;
}

function note(goal: Goal, took: number): void {
  measured.set(goal, [...(measured.get(goal) ?? []), took]);
  say(`${goal.what}: ${seconds(took)}`);
}

async function oneMaster(arena: Arena): Promise<void> {
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

interface Pair {
  readonly world: HaWorld;
  readonly deployment: Deployment;
  readonly stop: () => Promise<void>;
}

async function startPair(): Promise<Pair> {
  say('two masters start');
  const world = await HaWorld.start();
  const deployment = await Deployment.start(['due', 'due', 'webhook', 'webhook'], undefined, async () => world);
  return { world, deployment, stop: () => deployment.close() };
}

async function twoMasters({ world, deployment }: Pair): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    deployment.receiver.journal.length = 0;
    note(failover, await killedMaster(world, deployment));
    await world.up();
    // Connections that the dead master had are found broken one by one.
    await until('all is sent', () => whenThere(async () => Object.keys(await deployment.states()).length === 1));
  }
}

async function main(): Promise<void> {
  await runOn(() => Arena.start(say), oneMaster);
  if (process.exitCode === undefined) await runOn(startPair, twoMasters);
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
