import { systemClock } from '../../topology/core/clock';
import type { OnLate } from '../../topology/core/lateness';
import { runCli } from '../support/stack/cli';
import { Deployment } from '../support/stack/deployment';
import { until } from '../support/until';

/** How long nothing is sent, milliseconds; messages may wait for a second. */
const OUTAGE = 3_000;
/** Before the messages are due, milliseconds. */
const AHEAD = 2_000;
const EACH = 20;
const ways: readonly OnLate[] = ['skip', 'suspend', 'send'];
/** Nobody listens there. */
const CLOSED = 'http://127.0.0.1:9/';

let deployment: Deployment;

const cli = (args: readonly string[]) => runCli(args, { environment: deployment.settings });
/** The same, for what must be done. */
async function done(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(args);
  if (code !== 0) throw new Error(`downspout ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

beforeAll(async () => {
  deployment = await Deployment.start(
    ['due', 'webhook', 'webhook'],
    '{ webhook: { sendWithin: 1s, onLate: suspend, backlog: newest, backOff: 200ms, backOffMax: 1s } }',
  );
}, 120_000);

afterAll(() => deployment.close(), 60_000);

beforeEach(() => deployment.clear());

interface Given {
  readonly dueAt: number;
  readonly url?: string;
  readonly onLate?: OnLate | undefined;
  readonly sendWithin?: number | undefined;
}

async function schedule(given: readonly Given[]): Promise<number[]> {
  const answers = await deployment.client.schedule(
    given.map(({ dueAt, onLate, sendWithin, url }, n) => ({
      account: `account-${n % 4}`,
      channel: 'webhook' as const,
      dueAt,
      payload: { url: url ?? `${deployment.receiver.url}/of-${onLate ?? 'channel'}` },
      ...(onLate === undefined ? {} : { onLate }),
      ...(sendWithin === undefined ? {} : { sendWithin }),
    })),
  );
  return answers.map(({ id }) => id);
}

async function statesOf(ids: readonly number[]): Promise<string[]> {
  const messages = await deployment.client.get(ids.map((id) => ({ id })));
  return [...new Set(messages.map((message) => message?.state ?? 'gone'))].toSorted();
}

const become = (ids: readonly number[], state: string) =>
  until(`${ids.length} messages are ${state}`, async () => (await statesOf(ids)).join() === state, 60_000);

const requestsOf = (ids: readonly number[]) => {
  const keys = new Set(ids.flatMap((id) => [1, 2, 3].map((plan) => deployment.keyOf(id, plan))));
  return deployment.receiver.journal.filter(({ key }) => keys.has(key ?? '')).length;
};

/** Where the machine is slow, a second may pass before they go out, and they are late again. */
const deliveredBy = (verb: 'resume' | 'redrive', ids: readonly number[]) =>
  until(
    `${ids.length} messages are delivered`,
    async () => {
      const states = (await statesOf(ids)).join();
      if (states.includes('late') || states.includes('failed')) await cli(['messages', verb, '--late', '--yes']);
      return states === 'delivered';
    },
    90_000,
    200,
  );

/** Nothing is sent from before these are due until so long after it. */
async function outage(dueAt: number, given: readonly Given[]): Promise<number[]> {
  await done(['pause', 'webhook']);
  const ids = await schedule(given);
  await until('the outage is over', async () => (await deployment.client.now()) >= dueAt + OUTAGE, 60_000);
  await done(['resume', 'webhook']);
  return ids;
}

test('after an outage each message is treated as it says, and those of the channel as the channel says', async () => {
  const dueAt = systemClock.now() + AHEAD + 10_000;
  const all = [...ways, undefined].flatMap((onLate) => Array.from({ length: EACH }, (): Given => ({ dueAt, onLate })));
  const inTime = Array.from({ length: EACH }, (): Given => ({ dueAt, sendWithin: 600_000 }));
  const ids = await outage(dueAt, [...all, ...inTime]);
  const [skipped, waiting, sent, asChannel, patient] = [0, 1, 2, 3, 4].map((part) =>
    ids.slice(part * EACH, (part + 1) * EACH),
  ) as [number[], number[], number[], number[], number[]];
  await become(skipped, 'failed');
  await become([...waiting, ...asChannel], 'late');
  await become([...sent, ...patient], 'delivered');
  expect(requestsOf([...skipped, ...waiting, ...asChannel])).toBe(0);
  for (const message of await deployment.client.get([...skipped, ...waiting].map((id) => ({ id })))) {
    expect(message).toMatchObject({ isLate: true, attempts: 0, lastError: expect.stringMatching(/^late: not sent/) });
  }

  const status = (await cli(['status'])).stdout;
  expect(status).toContain(`${EACH} messages of webhook were skipped, not sent in time`);
  expect(status).toContain(`${2 * EACH} messages of webhook were not sent in time: a person decides`);
  const listed = await done(['messages', 'list', '--late', '--limit', '500', '--json']);
  const page = JSON.parse(listed) as { messages: readonly { id: number }[] };
  expect(page.messages.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual(
    [...skipped, ...waiting, ...asChannel].toSorted((a, b) => a - b),
  );
  expect(await done(['messages', 'show', String(skipped[0])])).toMatch(
    /late: not sent, because it is \d+s after it was due/,
  );

  // A person decides: from now on they have their whole time.
  expect(await cli(['messages', 'resume', '--late'])).toMatchObject({ code: 1 });
  expect(await done(['messages', 'resume', '--late', '--channel', 'webhook', '--yes'])).toBe(
    `${2 * EACH} messages are scheduled again.\n`,
  );
  await deliveredBy('resume', [...waiting, ...asChannel]);
  await done(['messages', 'redrive', '--late', '--yes']);
  await deliveredBy('redrive', skipped);
  expect(requestsOf(ids)).toBe(ids.length);
  expect(await done(['verify', '--all'])).toMatch(/I6 +holds/);
}, 180_000);

test('what cannot be sent in time ends when no other try would be in time, and says why', async () => {
  const dueAt = systemClock.now() + AHEAD;
  const [skipped, waiting] = (await schedule([
    { dueAt, url: CLOSED, onLate: 'skip' },
    { dueAt, url: CLOSED },
  ])) as [number, number];
  await become([skipped], 'failed');
  await become([waiting], 'late');
  for (const message of await deployment.client.get([{ id: skipped }, { id: waiting }])) {
    expect(message?.isLate).toBe(true);
    expect(message?.lastError).toMatch(/^late: .*(ECONNREFUSED|takes no connections)/);
  }
  const metrics = await Promise.all(
    (await deployment.sql.rows<[string | null]>('SELECT status_url FROM workers WHERE dead=0')).flatMap(([url]) =>
      url === null ? [] : [fetch(`${url}/metrics`).then((response) => response.text())],
    ),
  );
  expect(metrics.join('\n')).toMatch(/downspout_settled_total\{channel="webhook",state="skipped"\} [1-9]/);
}, 120_000);

test('the time is counted from the due time, also of what is scheduled after it', async () => {
  const dueAt = systemClock.now() - 30_000;
  const [late, inTime] = (await schedule([
    { dueAt, sendWithin: 10_000 },
    { dueAt, sendWithin: 600_000 },
  ])) as [number, number];
  await become([late], 'late');
  await become([inTime], 'delivered');
  expect(requestsOf([late, inTime])).toBe(1);
}, 60_000);

test('where the channel says so a backlog goes out newest first, over a tenth of its time', async () => {
  const now = systemClock.now();
  const ids = await schedule([130_000, 100_000, 70_000].map((ago) => ({ dueAt: now - ago, sendWithin: 600_000 })));
  await become(ids, 'delivered');
  const keys = deployment.receiver.journal.map(({ key }) => key);
  const places = ids.map((id) => keys.indexOf(deployment.keyOf(id)));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => b - a));
}, 120_000);

test('an edit gives a message that waits for a person another time, and a cancel takes it back', async () => {
  const dueAt = systemClock.now() + AHEAD + 10_000;
  const [edited, canceled] = (await outage(dueAt, [{ dueAt }, { dueAt }])) as [number, number];
  await become([edited, canceled], 'late');
  expect(await deployment.client.edit(edited, { dueAt: systemClock.now() + 500 })).toMatchObject({ result: 'edited' });
  expect(await deployment.client.cancel(canceled)).toEqual({ result: 'canceled' });
  await become([edited], 'delivered');
  expect(requestsOf([edited, canceled])).toBe(1);
}, 120_000);
