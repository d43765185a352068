import { seededRandom } from '../../deploy/demo/random';
import { Unavailable } from '../../topology/core/errors';
import { due } from '../../topology/streams';
import { all, SpoutWorld } from './spout-world';

const partitions = 4;
const topic = 'due.webhook';

/** Chance rules for a while: applications, faults, a bolt that drops and dies, two spouts that trade partitions. */
class Storm {
  readonly world = new SpoutWorld(['webhook'], {
    maxEntries: 120,
    maxPending: 60,
    maxPendingPerAccount: 8,
    reconcileIntervalMs: 1_000,
  });
  private readonly random: () => number;
  private readonly spouts = [
    this.world.spout({ partitions: [0, 1], of: 4 }),
    this.world.spout({ partitions: [2, 3], of: 4 }),
  ];
  private deaths = 0;
  calm = false;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    const { db, log, clock } = this.world;
    db.before = () => this.fault(0.1);
    log.before = () => this.fault(0.1);
    log.after = () => this.fault(0.05);
    db.after = () => (this.chance(0.3) ? clock.sleep(this.random() * 400) : undefined);
  }

  async step(): Promise<void> {
    const { world } = this;
    if (!this.calm) {
      this.write();
      if (this.chance(0.05)) world.cdc = !world.cdc;
      if (this.chance(0.02)) this.trade();
      if (this.chance(0.03))
        world.db.pausedAccounts = [{ channel: 'webhook', account: `a${Math.floor(this.random() * 6)}` }];
      if (this.chance(0.02)) this.loseRecords();
    }
    this.bolt();
    await world.run(100 + this.random() * 300);
  }

  end(): void {
    this.calm = true;
    this.world.cdc = true;
    this.world.db.pausedAccounts = [];
  }

  private chance(part: number): boolean {
    return this.random() < part;
  }

  private fault(part: number): void {
    if (!this.calm && this.chance(part)) throw new Unavailable('a fault');
  }

  private write(): void {
    const { db, now } = this.world;
    const dueAt = () => Math.floor(now - 5_000 + this.random() * 90_000);
    for (let count = 0; count < 4; count++)
      db.insert({ account: `a${Math.floor(this.random() ** 2 * 6)}`, dueAt: dueAt() });
    const id = 1 + Math.floor(this.random() * db.rows.size);
    if (this.chance(0.3)) db.edit(id, { dueAt: dueAt() });
    if (this.chance(0.1)) db.cancel(id);
    if (this.chance(0.2) && db.rows.has(id)) this.world.tell(this.world.changeOf(id, { committedAt: now - 90_000 }));
  }

  private trade(): void {
    const [first, second] = this.spouts;
    const mine = [0, 1, 2, 3].filter(() => this.chance(0.5));
    const of = this.chance(0.2) ? all : { partitions: mine, of: 4 };
    if (first) this.world.assign(first, of);
    if (second)
      this.world.assign(second, { partitions: [0, 1, 2, 3].filter((one) => !of.partitions.includes(one)), of: 4 });
  }

  private loseRecords(): void {
    const { log } = this.world;
    const partition = Math.floor(this.random() * partitions);
    if (this.chance(0.5)) log.dropBelow(topic, partition, log.high(topic, partition));
    else log.truncate(topic, partition, log.high(topic, partition) - 3);
  }

  /** Claims what has woken, in order of the log; sometimes drops, sometimes dies with what it claimed. */
  private bolt(): void {
    const { db, log, now } = this.world;
    for (let partition = 0; partition < partitions; partition++) {
      let next = Math.min(log.high(topic, partition), Math.max(0, log.committedOf('bolts', topic, partition)));
      for (const { offset, value } of log.read(topic, partition, next)) {
        const { id, version, wakeAt } = due('webhook').codec.decode(value);
        const row = db.rows.get(id);
        if (row?.state === 'scheduled' && row.version === version) {
          if (wakeAt > now) break;
          const dies = !this.calm && this.chance(0.05);
          if (dies) Object.assign(row, { state: 'sending', claim: `dead-${this.deaths++}` });
          else if (this.calm || this.chance(0.9)) row.state = 'delivered';
        }
        next = offset + 1;
      }
      log.commit('bolts', topic, partition, next);
    }
  }
}

test.each([1, 2, 3, 4, 5, 6])('whatever happened, every row is emitted in the end (seed %i)', async (seed) => {
  const storm = new Storm(seed);
  const { world } = storm;
  for (let step = 0; step < 300; step++) await storm.step();
  storm.end();
  for (let step = 0; step < 600; step++) await storm.step();
  const open = [...world.db.rows.values()].filter(({ state }) => state === 'scheduled' || state === 'sending');
  expect(open).toEqual([]);
  for (const spout of storm['spouts']) {
    expect(spout.gauges()).toMatchObject({ 'entries.webhook': 0, 'overflowed_accounts.webhook': 0 });
  }
  expect(world.emitted().filter(({ at, wakeAt }) => at < wakeAt - 2_000)).toEqual([]);
  await world.close();
});
