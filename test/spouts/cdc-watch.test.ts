import type { CdcState } from '../../spouts/cdc-health';
import { Unavailable } from '../../topology/core/errors';
import { SpoutWorld } from './spout-world';

let world: SpoutWorld;

afterEach(async () => {
  await world.close();
});

test('only the owner of partition 0 watches CDC, restarts what failed and reports it', async () => {
  world = new SpoutWorld();
  let state: CdcState = { silentForMs: 7, failures: [] };
  let checks = 0;
  let restarts = 0;
  let isAway = false;
  world.cdcHealth = {
    check: async () => {
      checks++;
      if (isAway) throw new Unavailable('Connect is away');
      return state;
    },
    restart: async () => {
      restarts++;
      state = { silentForMs: 0, failures: [] };
    },
  };
  world.spout({ partitions: [2, 3], of: 4 });
  const owner = world.spout({ partitions: [0, 1], of: 4 });
  await world.run(12_000);
  expect(checks).toBe(3);
  expect(owner.gauges()['cdc_silent_ms']).toBe(7);
  isAway = true;
  await world.run(6_000);
  isAway = false;
  state = { silentForMs: 90_000, failures: ['task 0: broken'] };
  world.errors.length = 0;
  await world.run(5_000);
  expect(owner.gauges()['cdc_failed']).toBe(1);
  await world.run(5_000);
  expect(restarts).toBe(1);
  expect(owner.gauges()['cdc_failed']).toBe(0);
  expect(world.errors).toEqual([new Unavailable('CDC has failed and is restarted: task 0: broken')]);
  world.assign(owner, { partitions: [1], of: 4 });
  checks = 0;
  await world.run(20_000);
  expect(checks).toBe(0);
  expect(owner.gauges()['cdc_silent_ms']).toBeUndefined();
});

test('a task that loses partition 0 waits without a timer, and checks again when it owns it again', async () => {
  world = new SpoutWorld();
  let checks = 0;
  world.cdcHealth = {
    check: async () => {
      checks++;
      return { silentForMs: 0, failures: [] };
    },
    restart: async () => {},
  };
  const spout = world.spout({ partitions: [0], of: 4 });
  await world.run(1_000);
  const timers = world.clock.timers;
  world.assign(spout, { partitions: [1], of: 4 });
  await world.run(6_000);
  expect(world.clock.timers).toBe(timers - 1);
  expect(checks).toBe(1);
  world.assign(spout, { partitions: [0, 1], of: 4 });
  await world.run(1_000);
  expect(checks).toBe(2);
});
