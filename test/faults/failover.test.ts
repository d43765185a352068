import { changeEventCodec } from '../../connectors/debezium/change-event';
import { captureNames } from '../../connectors/debezium/settings';
import { watchTopic } from '../../connectors/kafka/topic-set-up';
import { createClient, type NewMessage } from '../../connectors/mysql/client/client';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import { Deployment } from '../support/stack/deployment';
import { until } from '../support/until';
import { requestsOf } from './judge/content';
import { judge } from './judge/judge';
import { RecordingClient } from './judge/recorder';
import { tableHistory } from './judge/witnesses';
import { HaWorld, type MasterName, whenThere } from './world/ha-world';
import { Writers } from './world/ha-writers';

const BURST = 2_000;
const BURST_AHEAD_MS = 5_000;
/** The year 2099: it is not sent during the test. */
const FAR = Date.UTC(2099, 0);

let world: HaWorld;
let deployment: Deployment;
let changes: { id: number; at: number }[];
let watch: { close: () => Promise<void> };

beforeAll(async () => {
  world = await HaWorld.start();
  deployment = await Deployment.start(['due', 'due', 'webhook', 'webhook'], undefined, async () => world);
  changes = [];
  watch = await watchTopic(
    required(world.environment, 'KAFKA_BROKERS'),
    captureNames(world.environment.DOWNSPOUT_NAMESPACE).changes,
    'watch-failover',
    (value) => {
      const change = value === null ? null : changeEventCodec.decode(value);
      if (change !== null) changes.push({ id: change.id, at: systemClock.now() });
    },
  );
}, 120_000);

afterAll(async () => {
  await watch.close();
  await deployment.close();
}, 60_000);

// A test that failed leaves no half stack to the next.
afterEach(async () => {
  await world.up();
}, 60_000);

/** Schedules the burst. */
async function burst(recorder: RecordingClient): Promise<void> {
  const dueAt = systemClock.now() + BURST_AHEAD_MS;
  await recorder.schedule(
    Array.from({ length: BURST }, (_, n): NewMessage & { dueAt: number } => ({
      account: `account-${n % 499}`,
      channel: 'webhook',
      dueAt,
      payload: { url: `${deployment.receiver.url}/burst-${dueAt}-${n}?delay=50`, body: { n } },
    })),
  );
}

function settled(): Promise<void> {
  return until('no row that is due is open', () =>
    whenThere(async () => {
      const [row] = await deployment.sql.rows<[number]>(
        `SELECT COUNT(*) FROM scheduled_messages WHERE open = 1 AND due_at < ${FAR}`,
      );
      return row?.[0] === 0;
    }),
  );
}

/** Lets the three witnesses say whether everything was kept that the clients were promised. */
async function judged(writers: Writers, planned: RecordingClient): Promise<void> {
  const keys = await deployment.sql.rows<[string, number]>(
    'SELECT dedupe_key, id FROM scheduled_messages WHERE dedupe_key IS NOT NULL',
  );
  const ids = new Map(keys);
  const clients = [...planned.history, ...writers.history((key) => ids.get(key))];
  const cancels = clients.filter(({ kind, result }) => kind === 'cancel' && result === 'ok');
  expect(cancels.length).toBeGreaterThan(10);
  const violations = judge({
    clients,
    requests: requestsOf(deployment.receiver.journal),
    table: await tableHistory(deployment.sql),
    classes: { webhook: 'idempotent' },
  });
  expect(violations).toEqual([]);
  expect(Object.keys(await deployment.states()).toSorted()).toEqual(['canceled', 'delivered']);
}

/** Forgets what was before. After a failover the first connections are found broken. */
function cleared(): Promise<void> {
  return until('the messages of the test before are gone', () =>
    whenThere(async () => {
      await deployment.clear();
      return true;
    }),
  );
}

/** Runs writers and a burst, does `harm` amid the burst, waits until everything is delivered, and judges. */
async function underLoad(harm: (running: Writers) => Promise<void>): Promise<Writers> {
  await cleared();
  const writers = new Writers(deployment);
  const planned = new RecordingClient(deployment.client, systemClock);
  await burst(planned);
  const burstRequests = () => deployment.receiver.journal.filter(({ path }) => path.startsWith('/burst')).length;
  await deployment.receiver.until(() => burstRequests() > BURST / 10);
  await harm(writers);
  const { length } = writers.acknowledged;
  await until('the writers go on', () => writers.acknowledged.length > length + 300);
  await writers.stop();
  await settled();
  await judged(writers, planned);
  return writers;
}

async function healthy(): Promise<void> {
  expect(await world.writable()).toHaveLength(1);
  expect((await world.equalRows())['scheduled_messages']).toBeGreaterThanOrEqual(BURST);
}

const claim = (id: number) =>
  `UPDATE downspout.scheduled_messages SET state='sending', claim=REPEAT('x', 16), attempts=1 WHERE id=${id}`;

async function waitingMessage(): Promise<number> {
  const { id } = await deployment.client.schedule({
    account: 'a',
    channel: 'webhook',
    dueAt: FAR,
    payload: { url: deployment.receiver.url, body: 1 },
  });
  return id;
}

function canceled(id: number): Promise<void> {
  return until('the cancel is acknowledged', () =>
    whenThere(async () => (await deployment.client.cancel({ id })).result === 'canceled'),
  );
}

async function staysCanceled(id: number, survivor: MasterName): Promise<void> {
  const sql = `SELECT state FROM downspout.scheduled_messages WHERE id=${id}`;
  expect(await world.ask(survivor, sql)).toEqual([['canceled']]);
  const { passive } = await world.roles();
  expect(await world.ask(passive, sql)).toEqual([['canceled']]);
}

describe('two masters', () => {
  it('the active master is killed in a burst: the other one is used within seconds and nothing is lost', async () => {
    const { active, passive } = await world.roles();
    let killedAt = 0;
    const writers = await underLoad(async () => {
      killedAt = systemClock.now();
      world.signal(active, 'SIGKILL');
    });
    const took = await world.latestTerm(passive);
    const firstWrite = Math.min(
      ...writers.acknowledged.filter(({ scheduledAt }) => scheduledAt > took).map(({ scheduledAt }) => scheduledAt),
    );
    const newIds = new Set(writers.acknowledged.filter(({ scheduledAt }) => scheduledAt > took).map(({ id }) => id));
    const firstChange = Math.min(...changes.filter(({ id }) => newIds.has(id)).map(({ at }) => at));
    const firstSend = Math.min(...deployment.receiver.journal.flatMap(({ at }) => (at > took ? [at] : [])));
    const after = (at: number) => at - killedAt;
    console.info(
      `failover: taken over after ${after(took)} ms, first write ${after(firstWrite)} ms, first change ${after(firstChange)} ms, first send ${after(firstSend)} ms`,
    );
    // How long each took says something on a machine that is idle only.
    for (const at of [firstWrite, firstChange, firstSend]) expect(after(at)).toBeLessThan(30_000);
    const said = await world.up();
    expect(said).toContain(`${passive}: the active master; ${active} follows it`);
    await healthy();
    expect(await world.roles()).toEqual({ active: passive, passive: active });
  }, 90_000);

  it('HAProxy is killed and started again: it leads to the active master', async () => {
    const { active } = await world.roles();
    world.signal('haproxy', 'SIGKILL');
    await world.up();
    const uuid = 'SELECT @@server_uuid';
    await until('it leads somewhere', () => whenThere(async () => (await deployment.sql.rows(uuid)).length > 0));
    expect(await deployment.sql.rows(uuid)).toEqual(await world.ask(active, uuid));
  }, 30_000);

  it('Never two that are written to: the passive one sends clients away, and does not take over while it hears the active one', async () => {
    const before = await world.roles();
    const client = createClient(world.past(before.passive));
    await expect(client.get({ id: 1 })).rejects.toMatchObject({
      name: 'Unavailable',
      message: expect.stringMatching(/read-only/),
    });
    await client.close();
    expect(await world.roles()).toEqual(before);
  }, 30_000);

  it('the passive master is restarted in a burst: no call fails', async () => {
    const before = await world.roles();
    let usualMs = 0;
    const writers = await underLoad(async (running) => {
      usualMs = running.slowestMs;
      world.signal(before.passive, 'SIGTERM');
      await until('it has ended', () => !world.runs(before.passive));
      await world.up();
    });
    console.info(
      `passive restarted: slowest call ${Math.round(writers.slowestMs)} ms, before that ${Math.round(usualMs)} ms`,
    );
    expect(writers.refused).toBe(0);
    expect(await world.roles()).toEqual(before);
    await healthy();
  }, 60_000);

  it('The latest term counts: the active one is shut down in a burst, the other is used, and it comes back as the passive one', async () => {
    const before = await world.roles();
    await underLoad(async () => world.signal(before.active, 'SIGTERM'));
    await world.up();
    expect(await world.roles()).toEqual({ active: before.passive, passive: before.active });
    await healthy();
  }, 60_000);

  it('Nothing stale comes back: a claim of a master that was killed, which the survivor never received, does not undo a cancel', async () => {
    const { active, passive } = await world.roles();
    const id = await waitingMessage();
    await world.ask(passive, 'STOP REPLICA IO_THREAD');
    await world.ask(active, claim(id));
    world.signal(active, 'SIGKILL');
    await canceled(id);
    const said = (await world.up()).join('\n');
    expect(said).toMatch(new RegExp(`${active}: building it anew from ${passive}: it held \\d+ transactions`));
    await healthy();
    await staysCanceled(id, passive);
  }, 60_000);

  it('Numbers are not used again: what only the replaced master had counts as executed on both', async () => {
    const { active, passive } = await world.roles();
    const id = await waitingMessage();
    await world.ask(passive, 'STOP REPLICA IO_THREAD');
    await world.ask(active, claim(id));
    const executed = String((await world.ask(active, 'SELECT @@GLOBAL.gtid_executed'))[0]);
    world.signal(active, 'SIGKILL');
    await canceled(id);
    expect(await world.ask(passive, `SELECT GTID_SUBTRACT('${executed}', @@GLOBAL.gtid_executed) = ''`)).toEqual([[0]]);
    await world.up();
    for (const master of [active, passive]) {
      const missing = await world.ask(master, `SELECT GTID_SUBTRACT('${executed}', @@GLOBAL.gtid_executed)`);
      expect(missing).toEqual([['']]);
    }
    await healthy();
  }, 60_000);

  it('Nothing stale comes back: a claim of a master that slept, which the survivor never received, does not undo a cancel', async () => {
    const { active, passive } = await world.roles();
    const id = await waitingMessage();
    const inHand = await world.connect(active);
    world.signal(active, 'SIGSTOP');
    const late = inHand.query(claim(id));
    await canceled(id);
    world.signal(active, 'SIGCONT');
    await late;
    inHand.destroy();
    // It took what it had in hand, and HAProxy does not lead to it.
    expect(await world.ask(active, `SELECT state FROM downspout.scheduled_messages WHERE id=${id}`)).toEqual([
      ['sending'],
    ]);
    const said = (await world.up()).join('\n');
    expect(said).toMatch(new RegExp(`${active}: building it anew from ${passive}`));
    await healthy();
    await staysCanceled(id, passive);
  }, 60_000);
});
