import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { NewMessage } from '../../connectors/mysql/client/client';
import type { FailPoint, FailPointName } from '../../deploy/worker/fail-points';
import { systemClock } from '../../topology/core/clock';
import { childEnvironment } from '../../topology/settings/environment';
import { packageRoot } from '../../topology/settings/package';
import type { Received } from '../support/channels/receiver';
import { Deployment, workerSettings } from '../support/stack/deployment';
import { Victim } from '../support/stack/victim';
import { shareOfToday } from '../support/trials';
import { until } from '../support/until';

/** Due at one instant: enough that each bolt's share, even without one spout's, is claimed ahead of it. */
const CROWD = 1_000;
/** Enough that outcomes come by the hundred in each bolt while others wait to be claimed. */
const JOURNALED_CROWD = 6_000;
/** Due one after another after it, claimed each at its instant. */
const SINGLES = 100;
const SPACING = 10;
/** From scheduling to the instant, milliseconds: longer than the lead. */
const AHEAD = 3_500;
const DRAIN = 20_000;
/** Within so many days workers are killed at each of the points. */
const DAYS = 3;
/** For workers to come and go, milliseconds. */
const LIMIT = 30_000;

let deployment: Deployment;
let victims: Victim[] = [];

beforeAll(async () => {
  deployment = await Deployment.start(['due', 'webhook']);
}, 60_000);

afterAll(async () => {
  await deployment.close();
}, 60_000);

beforeEach(async () => {
  await deployment.clear();
});

afterEach(async () => {
  await Promise.all(victims.splice(0).map((victim) => victim.stop(DRAIN)));
}, 30_000);

/** What must come of a run: the content of every message that is to be delivered, by key, and keys of canceled ones. */
interface Plan {
  readonly content: ReadonlyMap<string, string>;
  readonly canceled: ReadonlySet<string>;
}

function message(n: number, dueAt: number, text: string): NewMessage {
  const url = `${deployment.receiver.url}/n/${n}`;
  return {
    account: `account-${n % 199}`,
    channel: 'webhook',
    dueAt,
    dedupeKey: `n-${n}`,
    payload: { url, headers: { 'x-due-at': String(dueAt) }, body: text },
  };
}

function batch(): { readonly dueAt: number; readonly messages: NewMessage[] } {
  const dueAt = systemClock.now() + AHEAD;
  const due = (n: number) => dueAt + Math.max(0, n - CROWD) * SPACING;
  const messages = Array.from({ length: CROWD + SINGLES }, (_, n) => message(n, due(n), 'as scheduled'));
  return { dueAt, messages };
}

/** Schedules a crowd and singles; then some of them are canceled, and others get new content. */
async function schedule(): Promise<Plan> {
  const { dueAt, messages } = batch();
  const answers = await deployment.client.schedule(messages);
  const content = new Map(answers.map(({ id }) => [deployment.keyOf(id), 'as scheduled']));
  const canceled = new Set<string>();
  const nth = (rest: number) => answers.flatMap(({ id }, n) => (n % 25 === rest ? [{ n, id }] : []));
  // A busy machine answers some of them only when the message is being sent: then it goes out as it was scheduled.
  const toCancel = nth(3);
  const cancels = await deployment.client.cancel(toCancel.map(({ id }) => ({ id })));
  for (const [index, { id }] of toCancel.entries()) {
    if (cancels[index]?.result !== 'canceled') continue;
    canceled.add(deployment.keyOf(id));
    content.delete(deployment.keyOf(id));
  }
  const toEdit = nth(7);
  const edits = await deployment.client.edit(
    toEdit.map(({ n, id }) => ({ id, payload: message(n, dueAt, 'as edited').payload })),
  );
  for (const [index, { id }] of toEdit.entries()) {
    if (edits[index]?.result !== 'edited') continue;
    content.delete(deployment.keyOf(id));
    content.set(deployment.keyOf(id, 2), 'as edited');
  }
  expect([...content.values()]).toContain('as edited');
  expect(canceled.size).toBeGreaterThan(0);
  return { content, canceled };
}

function requestsByKey(): Map<string, Received[]> {
  const requests = new Map<string, Received[]>();
  for (const received of deployment.receiver.journal) {
    requests.set(received.key, [...(requests.get(received.key) ?? []), received]);
  }
  return requests;
}

/** @returns how many messages were requested more than once, and how many rows are in doubt */
async function judge(plan: Plan): Promise<{ repeated: number; doubted: number }> {
  const rows = await deployment.sql.rows<[number, number]>(
    'SELECT id, plan_number FROM scheduled_messages WHERE in_doubt = 1',
  );
  const doubted = new Set(rows.map(([id, planNumber]) => deployment.keyOf(id, planNumber)));
  const requests = requestsByKey();
  expect([...requests.keys()].toSorted()).toEqual([...plan.content.keys()].toSorted());
  const repeated: string[] = [];
  for (const [key, received] of requests) {
    expect(received.filter(({ accepted }) => accepted)).toHaveLength(1);
    if (received.length > 1) repeated.push(key);
    for (const { body, at, headers } of received) {
      expect(body).toBe(plan.content.get(key));
      expect(at).toBeGreaterThanOrEqual(Number(headers['x-due-at']));
    }
  }
  expect(repeated.filter((key) => !doubted.has(key))).toEqual([]);
  const { size } = plan.canceled;
  expect(await deployment.states()).toEqual({ delivered: plan.content.size, ...(size > 0 ? { canceled: size } : {}) });
  return { repeated: repeated.length, doubted: doubted.size };
}

/** Amid requests, where the first would be the only one. */
const later: { readonly [name in FailPointName]?: number } = { 'request-sent': 100, 'answer-received': 100 };

function start(name: FailPointName, action: FailPoint['action'] = 'kill'): void {
  victims.push(Victim.start(deployment, componentOf(name), { name, action, nth: later[name] ?? 1 }));
}

async function everyVictimIsAtWork(): Promise<boolean> {
  const atWork = await Promise.all(victims.map((victim) => victim.isAtWork()));
  return atWork.every(Boolean);
}

function componentOf(point: FailPointName): string {
  return ['cdc-seen', 'bucketed', 'loaded', 'emitted', 'acknowledged'].includes(point) ? 'due' : 'webhook';
}

/**
 * A spout's point and a bolt's in each, and what can be told for sure. In doubt: the sender died with claims. Repeats: it
 * died with requests out. (Both topics are partitioned by the account, so a spout's tuples go to one and the same bolt.)
 */
const runs: {
  readonly points: FailPointName[];
  readonly leaves: { readonly doubt?: boolean; readonly repeats?: boolean };
}[] = [
  { points: ['cdc-seen', 'prefetched'], leaves: { doubt: false, repeats: false } },
  { points: ['bucketed', 'answer-received'], leaves: { doubt: true, repeats: true } },
  { points: ['loaded', 'claim-committed'], leaves: { doubt: true } },
  { points: ['emitted', 'request-sent'], leaves: { doubt: true, repeats: true } },
  { points: ['acknowledged', 'claim-committed-ahead'], leaves: { doubt: true, repeats: false } },
  { points: ['offset-committed', 'written-back'], leaves: {} },
];

describe('a worker killed', () => {
  it.each(shareOfToday(runs, DAYS))(
    'at $points is missed by nobody',
    async ({ points, leaves }) => {
      for (const point of points) if (point !== 'loaded') start(point);
      await until('they are at work', everyVictimIsAtWork, LIMIT);
      if (points.includes('claim-committed-ahead')) await deployment.warmUp();
      const plan = await schedule();
      // What is there already is read at the start; what comes later is brought by events.
      if (points.includes('loaded')) start('loaded');
      await until('they are dead', () => victims.every(({ end }) => end !== undefined), LIMIT);
      for (const { end, reached, point } of victims) {
        expect([point.name, reached, end?.how]).toEqual([point.name, true, expect.stringContaining('by SIGKILL')]);
      }
      await deployment.settled();
      const { repeated, doubted } = await judge(plan);
      expect({ doubt: doubted > 0, repeats: repeated > 0 }).toMatchObject(leaves);
      await until('those that were started again are at work', everyVictimIsAtWork, LIMIT);
    },
    120_000,
  );
});

describe('a bolt killed when outcomes of a crowd are in the ledger and not in their rows', () => {
  it('leaves none of them to be sent again', async () => {
    start('journaled');
    await until('it is at work', everyVictimIsAtWork, LIMIT);
    const dueAt = systemClock.now() + 2 * AHEAD;
    const messages = Array.from({ length: JOURNALED_CROWD }, (_, n) => message(n, dueAt, 'as scheduled'));
    const answers = await deployment.client.schedule(messages);
    const content = new Map(answers.map(({ id }) => [deployment.keyOf(id), 'as scheduled']));
    await until('it is dead', () => victims.every(({ end }) => end !== undefined), LIMIT);
    expect(victims.map(({ reached }) => reached)).toEqual([true]);
    await deployment.settled();
    await judge({ content, canceled: new Set() });
    const known = await deployment.sql.rows<[number, number]>(
      'SELECT m.id, m.version FROM scheduled_messages m JOIN delivery_attempts a ON a.message_id=m.id AND a.version=1 ' +
        "JOIN workers w ON w.session=a.session WHERE a.settled='delivered' AND w.dead=1 AND w.left_at IS NULL",
    );
    expect(known.length).toBeGreaterThan(0);
    expect(known.filter(([, version]) => version > 1)).toEqual([]);
    const requests = requestsByKey();
    expect(known.filter(([id]) => requests.get(deployment.keyOf(id))?.length !== 1)).toEqual([]);
  }, 120_000);
});

describe('a bolt stopped past its lease', () => {
  it('sends and writes nothing when it continues', async () => {
    start('claim-committed-ahead', 'stop');
    start('answer-received', 'stop');
    await until('they are at work', everyVictimIsAtWork, LIMIT);
    await deployment.warmUp();
    const plan = await schedule();
    await until('they are stopped', () => victims.every(({ reached }) => reached), LIMIT);
    await deployment.settled();
    const before = deployment.receiver.journal.length;
    const { doubted } = await judge(plan);
    expect(doubted).toBeGreaterThan(0);
    for (const victim of victims) victim.resume();
    await until('they have ended', () => victims.every(({ end }) => end !== undefined), LIMIT);
    for (const { end } of victims) expect(end?.how).toContain('with exit code 1');
    expect(deployment.receiver.journal).toHaveLength(before);
    await judge(plan);
  }, 120_000);
});

describe('an application killed', () => {
  it.each(['schedule-uncommitted', 'schedule-committed'])(
    'at %s schedules again, and once',
    async (point) => {
      const { messages } = batch();
      const program = join(packageRoot(), 'dist', 'test', 'support', 'mysql', 'dying-application.js');
      const { signal } = spawnSync(process.execPath, [program, point], {
        input: JSON.stringify(messages),
        env: childEnvironment(workerSettings(deployment.world.environment)),
      });
      expect(signal).toBe('SIGKILL');
      const isCommitted = point === 'schedule-committed';
      expect(await deployment.states()).toEqual(isCommitted ? { scheduled: messages.length } : {});
      const answers = await deployment.client.schedule(messages);
      for (const answer of answers) expect(answer).toMatchObject({ result: 'scheduled', created: !isCommitted });
      await deployment.settled();
      const content = new Map(answers.map(({ id }) => [deployment.keyOf(id), 'as scheduled']));
      const { repeated } = await judge({ content, canceled: new Set() });
      expect(repeated).toBe(0);
    },
    60_000,
  );
});
