import type { CdcState } from '../../spouts/cdc-health';
import { Unavailable } from '../../topology/core/errors';
import { settled } from '../support/manual-clock';
import { SpoutWorld } from './spout-world';

let world: SpoutWorld;

afterEach(async () => {
  await world.close();
});

test('only the owner of partition 0 watches CDC, restarts what failed and reports it', async () => {
  world = new SpoutWorld();
  let state: CdcState = { silentForMs: 7, unchangedForMs: 60_000, failures: [], obstacles: [] };
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
      state = { silentForMs: 0, unchangedForMs: 60_000, failures: [], obstacles: [] };
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
  state = { silentForMs: 90_000, unchangedForMs: 60_000, failures: ['task 0: broken'], obstacles: [] };
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
      return { silentForMs: 0, unchangedForMs: 60_000, failures: [], obstacles: [] };
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

test('what keeps CDC from working is reported and counted, and so is silence', async () => {
  world = new SpoutWorld();
  let state: CdcState = {
    silentForMs: 20_000,
    unchangedForMs: 60_000,
    failures: [],
    obstacles: ['the connector is PAUSED'],
  };
  let restarts = 0;
  world.cdcHealth = {
    check: async () => state,
    restart: async () => void restarts++,
  };
  const spout = world.spout({ partitions: [0], of: 1 });
  await world.run(1_000);
  expect(spout.gauges()).toMatchObject({ cdc_obstacles: 1, cdc_failed: 0 });
  state = { silentForMs: 35_000, unchangedForMs: 60_000, failures: [], obstacles: [] };
  await world.run(5_000);
  expect(spout.gauges()).toMatchObject({ cdc_obstacles: 0, cdc_failed: 0 });
  state = { silentForMs: 0, unchangedForMs: 60_000, failures: [], obstacles: [] };
  await world.run(5_000);
  expect(world.errors).toEqual([
    new Unavailable('CDC stands still: the connector is PAUSED'),
    new Unavailable('CDC has been silent for 35 s although its connector runs, and is restarted'),
  ]);
  expect(restarts).toBe(1);
});

test('CDC that is silent although its connector runs is restarted once a minute, but not one that was just started', async () => {
  world = new SpoutWorld();
  let silentForMs = 29_000;
  let unchangedForMs = 60_000;
  let restarts = 0;
  world.cdcHealth = {
    check: async () => ({ silentForMs, unchangedForMs, failures: [], obstacles: [] }),
    restart: async () => void restarts++,
  };
  world.spout({ partitions: [0], of: 1 });
  await world.run(10_000);
  silentForMs = 90_000;
  unchangedForMs = 29_000;
  await world.run(10_000);
  expect(restarts).toBe(0);
  unchangedForMs = 30_000;
  await world.run(60_000);
  expect(restarts).toBe(1);
  await world.run(60_000);
  expect(restarts).toBe(2);
});

test('a spout ends while Kafka Connect does not answer, and restarts nothing afterwards', async () => {
  world = new SpoutWorld();
  const restart = jest.fn(async () => undefined);
  const answers: ((state: CdcState) => void)[] = [];
  world.cdcHealth = { check: () => new Promise((resolve) => answers.push(resolve)), restart };
  world.spout({ partitions: [0], of: 1 });
  await world.run(1_000);
  await world.close();
  for (const answer of answers) {
    answer({ silentForMs: 90_000, unchangedForMs: 60_000, failures: ['task 0: broken'], obstacles: [] });
  }
  expect(answers).toHaveLength(1);
  await settled();
  expect(restart).not.toHaveBeenCalled();
  expect(world.errors).toEqual([]);
});

test('a spout that ends waits for a restart of CDC that is under way, and not for longer than five seconds', async () => {
  for (const takesMs of [3_000, 60_000]) {
    world = new SpoutWorld();
    const { clock } = world;
    let isDone = false;
    world.cdcHealth = {
      check: async () => ({ silentForMs: 0, unchangedForMs: 60_000, failures: ['task 0: broken'], obstacles: [] }),
      restart: async () => {
        await clock.sleep(takesMs);
        isDone = true;
      },
    };
    const spout = world.spout({ partitions: [0], of: 1 });
    await world.run(1_000);
    let closed = false;
    void spout.close().then(() => {
      closed = true;
    });
    await world.run(1_500);
    expect({ closed, isDone }).toEqual({ closed: false, isDone: false });
    await world.run(4_000);
    expect({ closed, isDone }).toEqual({ closed: true, isDone: takesMs === 3_000 });
    await world.run(60_000);
  }
});
