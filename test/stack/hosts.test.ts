import { type Client, createClient } from '../../connectors/mysql/client/client';
import { listPlacements, listSupervisors, wantPlacement } from '../../connectors/mysql/operators/placements';
import { beginRelease, finishRelease } from '../../connectors/mysql/operators/releases';
import { Pool } from '../../connectors/mysql/sql/pool';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import { packageVersion } from '../../topology/settings/package';
import { parseSpecification } from '../../topology/settings/topology-settings';
import { requestsOf } from '../faults/judge/content';
import { judge } from '../faults/judge/judge';
import { tableHistory } from '../faults/judge/witnesses';
import { Clients } from '../faults/world/clients';
import { Receiver } from '../support/channels/receiver';
import { Random } from '../support/random';
import { runCli, variablesOf } from '../support/stack/cli';
import { Host } from '../support/stack/hosts';
import { freshWorld, type World } from '../support/stack/stack';
import { until } from '../support/until';

// The test waits for the last retry, so retries must not wait for long.
const specification = { components: { due: {}, webhook: { backOffMax: '2s', timeout: '5s' } } };
const RATE = 100;
const LIMIT_MS = 90_000;

let world: World;
let sql: Pool;
let client: Client;
let receiver: Receiver;
let hosts: Host[] = [];
let runs = 0;

beforeAll(async () => {
  world = await freshWorld(parseSpecification(specification, 'test'));
  sql = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 2 });
  client = createClient(required(world.environment, 'DATABASE_URL'));
  receiver = await Receiver.start();
  const release = await beginRelease(sql, {
    specification,
    packageVersion: packageVersion(),
    image: null,
    program: null,
    target: 'local',
    environment: null,
    reason: 'test',
    who: 'test',
    host: 'test',
  });
  await finishRelease(sql, release, 'live');
  hosts = [Host.start(world.environment), Host.start(world.environment)];
  await until('both supervisors are there', async () => (await listSupervisors(sql)).length === 2);
  for (const component of ['due', 'webhook']) {
    for (const replica of [1, 2]) await wantPlacement(sql, { component, replica }, release);
  }
  await ready();
}, 180_000);

afterAll(async () => {
  const codes = await Promise.all(hosts.map((host) => host.end()));
  const left = hosts.flatMap((host) => host.pids);
  for (const host of hosts) host.remove();
  await Promise.all([client.close(), sql.close(), receiver.close()]);
  await world.close();
  if (codes.some((code) => code !== 0) || left.length > 0) {
    throw new Error(`supervisors ended with ${codes.join(', ')}, and left ${left.length} workers`);
  }
}, 120_000);

const isReady = async () => (await listPlacements(sql)).every(({ observed }) => observed?.state === 'ready');
const ready = () => until('every worker is ready', isReady, LIMIT_MS);

const ownersOf = async () => new Set((await listPlacements(sql)).map(({ supervisor }) => supervisor));

/** Runs `work` under load, waits until everything is at rest, and judges. @returns what is broken, one line each */
async function judged(work: () => Promise<void>): Promise<string[]> {
  await sql.run('DELETE FROM delivery_attempts');
  await sql.run('DELETE FROM scheduled_messages');
  receiver.journal.length = 0;
  const clients = new Clients(client, receiver.url, `h${++runs}`, new Random(runs));
  const loaded = new AbortController();
  const load = clients.steady(RATE, loaded.signal);
  try {
    await until('messages are sent', () => receiver.journal.length > RATE);
    await work();
    const seen = receiver.journal.length;
    await until('messages are sent afterwards', () => receiver.journal.length > seen + RATE);
  } finally {
    loaded.abort();
    await load;
  }
  const isClosed = async () => (await sql.rows('SELECT 1 FROM scheduled_messages WHERE open = 1 LIMIT 1')).length === 0;
  await until('no row is open', isClosed, LIMIT_MS);
  const ids = new Map(await sql.rows<[string, number]>('SELECT dedupe_key, id FROM scheduled_messages'));
  return judge({
    clients: clients.recorder.historyWith((key) => ids.get(key)),
    requests: requestsOf(receiver.journal),
    table: await tableHistory(sql),
    classes: { webhook: 'idempotent' },
    left: {},
  }).map(({ invariant, id, reason }) => `${invariant}: ${id ?? ''} ${reason}`);
}

describe('under load, nothing is lost, early, or sent twice without a reason, when', () => {
  test('a whole host dies: its work moves to the other without any command', async () => {
    expect((await ownersOf()).size).toBe(2);
    const broken = await judged(async () => {
      await hosts[0]?.die();
      await until('the other host has everything', async () => (await ownersOf()).size === 1, LIMIT_MS);
      await ready();
      expect(hosts[1]?.pids).toHaveLength(4);
      const { stdout } = await runCli(['status'], { environment: variablesOf(world.environment) });
      expect(stdout).toMatch(
        /Host \S+ is missing: its supervisor was last heard of .* ago\. Other hosts take its work\./,
      );
    });
    expect(broken).toEqual([]);
  }, 300_000);
});
