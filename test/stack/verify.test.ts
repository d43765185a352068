import type { NewMessage } from '../../connectors/mysql/client/client';
import type { Violation } from '../../connectors/mysql/operators/verify/seen';
import { verify } from '../../connectors/mysql/operators/verify/verify';
import { systemClock } from '../../topology/core/clock';
import { requestsOf } from '../faults/judge/content';
import { judge } from '../faults/judge/judge';
import { RecordingClient } from '../faults/judge/recorder';
import { tableHistory } from '../faults/judge/witnesses';
import { Deployment } from '../support/stack/deployment';

const MESSAGES = 5_000;
const ACCOUNTS = 97;
const CHANGERS = 8;
const BOLT = 1;
/** After the burst's instant, milliseconds. */
const CHANGED_FOR = 1_000;

/** The receiver is in the process of the test: on a machine that does other things beside, it may not answer for seconds. */
const PATIENT = '{ webhook: { timeout: 60s } }';

let deployment: Deployment;
let clients: RecordingClient;
let dueAt: number;

beforeAll(async () => {
  deployment = await Deployment.start(['due', 'webhook', 'webhook'], PATIENT);
}, 60_000);

afterAll(async () => {
  await deployment.close();
}, 60_000);

beforeEach(async () => {
  await deployment.clear();
  clients = new RecordingClient(deployment.client, systemClock);
  dueAt = systemClock.now() + 6_000;
});

function payload(n: number, revision: number, query: string) {
  return { url: `${deployment.receiver.url}/n/${n}${query}`, body: { text: '🚀 né', revision, n } };
}

/** Some are refused for ever, the others are taken. */
async function burst(query = ''): Promise<number[]> {
  const messages = Array.from({ length: MESSAGES }, (_, n): NewMessage & { dueAt: number } => ({
    account: `account-${n % ACCOUNTS}`,
    channel: 'webhook',
    dueAt,
    payload: payload(n, 1, n % 50 === 0 ? '?status=410' : query),
  }));
  const answers = await clients.schedule(messages);
  return answers.map(({ id }) => id);
}

/** Edits and cancels one message after the other, over and over, until the burst is well on its way. */
async function change(ids: readonly number[], first: number, query: string): Promise<void> {
  const step = first % 2 === 0 ? 7 : 11;
  for (let turn = first; systemClock.now() < dueAt + CHANGED_FOR; turn += step) {
    const n = turn % ids.length;
    const id = ids[n] as number;
    const later = Math.max(dueAt, systemClock.now() + 500);
    if (n % 10 === 1) await clients.cancel([{ id }]);
    else if (n % 10 === 2) await clients.edit([{ id, payload: payload(n, turn, query), dueAt: later }]);
    else if (n % 10 < 6) await clients.edit([{ id, payload: payload(n, turn, query) }]);
  }
}

/** Nobody else changes every seventh of ten, so it is delivered and both are refused, however fast the burst was. */
async function changeWhatIsOver(id: number, query: string): Promise<void> {
  await clients.edit([{ id, payload: payload(7, 0, query) }]);
  await clients.cancel([{ id }]);
}

/** Nothing of it is near, so that both are in time, however slow the machine is. */
async function changeWhatIsAhead(query: string): Promise<void> {
  const farAhead = dueAt + 3_600_000;
  const ahead = {
    account: 'ahead',
    channel: 'webhook',
    dueAt: farAhead,
    payload: payload(MESSAGES, 1, query),
  } as const;
  const [answer] = await clients.schedule([ahead]);
  const id = answer?.id as number;
  await clients.edit([{ id, payload: payload(MESSAGES, 2, query) }]);
  await clients.cancel([{ id }]);
}

/** Looks at the table as often as it can. @returns what it found, and how often it looked */
async function watch(done: () => boolean): Promise<{ looks: number; found: Violation[] }> {
  const found: Violation[] = [];
  let looks = 0;
  for (; !done(); looks++) {
    const report = await verify(deployment.sql, { classOf: () => 'idempotent', patienceMs: 900_000, examples: 3 });
    found.push(...report.findings.flatMap(({ examples }) => examples));
  }
  return { looks, found };
}

async function play(query: string, disturb: () => Promise<unknown>) {
  const ids = await burst(query);
  let over = false;
  const done = () => over;
  const changers = Array.from({ length: CHANGERS }, (_, first) => change(ids, first, query));
  const watching = watch(done);
  await changeWhatIsAhead(query);
  await disturb();
  await Promise.all(changers);
  await deployment.settled(90_000);
  await changeWhatIsOver(ids[7] as number, query);
  over = true;
  return watching;
}

async function judged(orderedBeyond: number | undefined): Promise<Violation[]> {
  return judge({
    clients: clients.history,
    requests: requestsOf(deployment.receiver.journal),
    table: await tableHistory(deployment.sql),
    classes: { webhook: 'idempotent' },
    orderedBeyond,
  });
}

test('verify finds no violation at any moment of a burst with edits and cancels, and three witnesses find none in the end', async () => {
  const { looks, found } = await play('', async () => undefined);
  expect(found).toEqual([]);
  // A look takes seconds where a busy machine writes beside it.
  expect(looks).toBeGreaterThan(2);
  const kinds = new Set(clients.history.map(({ kind, result }) => `${kind} ${result}`));
  expect([...kinds]).toEqual(
    expect.arrayContaining(['schedule ok', 'edit ok', 'edit fail', 'cancel ok', 'cancel fail']),
  );
  expect(await judged(3_000)).toEqual([]);
}, 120_000);

test('verify and three witnesses find no violation in such a burst when a bolt is killed while it sends', async () => {
  const { found } = await play('?delay=300', async () => {
    await deployment.receiver.until(() => deployment.receiver.journal.length >= 500);
    deployment.kill(BOLT);
  });
  expect(found).toEqual([]);
  expect(await judged(undefined)).toEqual([]);
}, 180_000);
