import { SpoutWorld } from './spout-world';

/** What may begin at once, and how long it takes until more may, milliseconds. */
const BUCKET = 50;
const CLOSED_MS = 30_000;
const CYCLES = 6;

test.each([1_000, 10_000])(
  'an account at its limit with %i messages due costs no more tuples than may begin, and keeps nobody waiting',
  async (count) => {
    const world = new SpoutWorld();
    world.maxPendingPerAccount = BUCKET;
    const { db, now } = world;
    const limits = db.sendLimits('webhook');
    for (let n = 0; n < count; n++) db.insert({ account: 'hog', dueAt: now - 60_000 + n });
    for (let n = 0; n < CYCLES * 60; n++) db.insert({ account: `other${n % 20}`, dueAt: now + n * 500 });
    world.spout();
    const of = () => world.emitted().filter(({ account }) => account === 'hog');
    for (let cycle = 1; cycle <= CYCLES; cycle++) {
      await world.run(1_500);
      // Nothing is emitted beyond what a bolt could begin.
      expect(of()).toHaveLength(cycle * BUCKET);
      await limits.hold('hog', CLOSED_MS - 1_500);
      for (let round = 0; round < 56; round++) {
        world.ack();
        await world.run(500);
      }
      expect(of()).toHaveLength(cycle * BUCKET);
    }
    expect(of().map(({ wakeAt }) => wakeAt)).toEqual(
      Array.from({ length: CYCLES * BUCKET }, (_, n) => now - 60_000 + n),
    );
    const others = world.emitted().filter(({ account }) => account !== 'hog');
    expect(others.length).toBeGreaterThan(CYCLES * 55);
    expect(others.filter(({ at, wakeAt }) => at > Math.max(now + 50, wakeAt - 1_900 + 50))).toEqual([]);
    await world.close();
  },
);
