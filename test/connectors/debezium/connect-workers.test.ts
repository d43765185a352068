import { ConnectWorkers } from '../../../connectors/debezium/connect-workers';
import type { ConnectorStatus } from '../../../connectors/debezium/connector-status';
import { Unavailable } from '../../../topology/core/errors';

/** What a worker of Connect says when it joins: a version, its URL, and how far it has read the settings. */
function metadata(url: string, version = 2): Buffer {
  const text = Buffer.from(url);
  const said = Buffer.alloc(4 + text.length + 8);
  said.writeInt16BE(version, 0);
  said.writeInt16BE(text.length, 2);
  text.copy(said, 4);
  return said;
}

const runningOn = (worker: string): ConnectorStatus => ({
  state: 'RUNNING',
  worker,
  failure: null,
  tasks: [{ id: 0, state: 'RUNNING', worker, failure: null }],
});

class World {
  status: ConnectorStatus | null | Unavailable = runningOn('10.0.0.2:8083');
  clusters = new Map([
    ['others', ['http://10.9.9.9:8083/']],
    ['connect', ['http://10.0.0.1:8083/', 'http://10.0.0.2:8083/']],
  ]);
  asked = 0;
  /** What may not be described, or is not answered about. */
  readonly silent = new Set<string>();
  readonly workers = new ConnectWorkers(
    {
      groups: async (protocol) => (protocol === 'connect' ? [...this.clusters.keys()] : ['a', 'b']),
      members: async (group) => {
        if (this.silent.has(group))
          throw new Unavailable(`Kafka does not allow this user DESCRIBE on the group ${group}`);
        return (this.clusters.get(group) ?? []).map((url) => ({ metadata: metadata(url) }));
      },
    },
    {
      status: async () => {
        this.asked++;
        if (this.status instanceof Unavailable) throw this.status;
        return this.status;
      },
    },
  );
}

test('the workers are counted of the cluster that runs the connector, beside others on the same Kafka', async () => {
  const world = new World();
  expect(await world.workers.count()).toBe(2);
});

test('one that is missing is seen, also while Connect itself does not answer, and all of them', async () => {
  const world = new World();
  await world.workers.count();
  world.status = new Unavailable('Connect does not answer');
  world.clusters.set('connect', ['http://10.0.0.1:8083/']);
  expect(await world.workers.count()).toBe(1);
  world.clusters.set('connect', []);
  expect(await world.workers.count()).toBe(0);
});

test('Connect is asked for no more than the group, which its members do not leave', async () => {
  const world = new World();
  await world.workers.count();
  await world.workers.count();
  expect(world.asked).toBe(1);
});

test('workers that are a group of another name by now are found again', async () => {
  const world = new World();
  await world.workers.count();
  world.clusters.set('connect', []);
  world.clusters.set('connect-2', ['http://10.0.0.2:8083/', 'http://10.0.0.3:8083/', 'http://10.0.0.4:8083/']);
  expect(await world.workers.count()).toBe(3);
});

test.each([false, true])(
  'what Kafka does not say takes no other figure away, also once the group is known: %s',
  async (isKnown) => {
    const world = new World();
    if (isKnown) await world.workers.count();
    world.silent.add('connect').add('others');
    expect(await world.workers.count()).toBeUndefined();
  },
);

test.each<[why: string, change: (world: World) => void]>([
  ['Connect does not answer', (world) => (world.status = new Unavailable('away'))],
  ['there is no connector', (world) => (world.status = null)],
  ['its group may not be described', (world) => world.clusters.delete('connect')],
  ['no member names itself', (world) => world.clusters.set('connect', ['', 'no url'])],
])('nothing is said while it cannot be seen: %s', async (_, change) => {
  const world = new World();
  change(world);
  expect(await world.workers.count()).toBeUndefined();
});

test('once it can be seen it is said', async () => {
  const world = new World();
  world.status = null;
  expect(await world.workers.count()).toBeUndefined();
  world.status = runningOn('10.0.0.1:8083');
  expect(await world.workers.count()).toBe(2);
});
