import type { DeploymentState } from '../../spouts/deployment-health';
import { Unavailable } from '../../topology/core/errors';
import { SpoutWorld } from './spout-world';

let world: SpoutWorld;

const known = {
  uncertain: 2,
  suspended: 3,
  unusable: 6,
  lateWaiting: 7,
  limited: 8,
  refreshesFailing: 4,
  ownerless: 5,
};
const state: DeploymentState = {
  workersWanted: 4,
  workersAlive: 3,
  workersLost: 1,
  crashLooping: 0,
  databaseMembers: undefined,
  brokers: 3,
  connectWorkers: 2,
  channels: new Map([['webhook', { ...known, overdueMs: 70, credentialsEndMs: -90 }]]),
};

afterEach(async () => {
  await world.close();
});

test('only the owner of partition 0 looks at the deployment, every 15 s, and tells what it saw', async () => {
  world = new SpoutWorld();
  let checks = 0;
  world.deploymentHealth = {
    check: async () => {
      checks++;
      return { ...state, databaseMembers: checks };
    },
  };
  const other = world.spout({ partitions: [2, 3], of: 4 });
  const owner = world.spout({ partitions: [0, 1], of: 4 });
  await world.run(31_000);
  expect(checks).toBe(3);
  expect(other.gauges()).not.toHaveProperty('workers_alive');
  expect(owner.gauges()).toMatchObject({
    workers_wanted: 4,
    workers_alive: 3,
    workers_lost: 1,
    crash_looping: 0,
    brokers: 3,
    connect_workers: 2,
    database_members: 3,
    'overdue_ms.webhook': 70,
    'uncertain.webhook': 2,
    'suspended.webhook': 3,
    'unusable_accounts.webhook': 6,
    'late_waiting.webhook': 7,
    'limited_accounts.webhook': 8,
    'refreshes_failing.webhook': 4,
    'credentials_end_ms.webhook': -90,
    'ownerless.webhook': 5,
  });
  world.assign(owner, { partitions: [1], of: 4 });
  await world.run(60_000);
  expect(checks).toBe(3);
  expect(owner.gauges()).not.toHaveProperty('workers_alive');
});

test('a figure that is not known is not shown, and none is while the parts do not answer', async () => {
  world = new SpoutWorld();
  let isAway = false;
  world.deploymentHealth = {
    check: async () => {
      if (isAway) throw new Unavailable('MySQL is away');
      return {
        ...state,
        channels: new Map([['webhook', { ...known, overdueMs: undefined, credentialsEndMs: undefined }]]),
      };
    },
  };
  const spout = world.spout();
  await world.run(1_000);
  expect(spout.gauges()).toHaveProperty('workers_alive', 3);
  expect(spout.gauges()).not.toHaveProperty('database_members');
  expect(spout.gauges()).not.toHaveProperty(['overdue_ms.webhook']);
  expect(spout.gauges()).not.toHaveProperty(['credentials_end_ms.webhook']);
  isAway = true;
  await world.run(15_000);
  expect(spout.gauges()).not.toHaveProperty('workers_alive');
  expect(world.errors).toEqual([new Unavailable('MySQL is away')]);
  isAway = false;
  await world.run(15_000);
  expect(spout.gauges()).toHaveProperty('workers_alive', 3);
});
