import type { MemoryDatabase } from '../../support/mysql/memory-database';
import type { Random } from '../../support/random';
import type { Clients } from './clients';
import { HELD_ACCOUNT, hostileAccount, hostileContent, isHarmless } from './hostile-tenant';
import type { Scenario } from './scenario';
import { BEGINNING, type SimulatedTime } from './time';

interface Load {
  readonly time: SimulatedTime;
  readonly scenario: Scenario;
  readonly clients: Clients;
  readonly database: MemoryDatabase;
}

/** Applications schedule all through the storm. Most edits and cancels happen around the moment at which the message is sent. */
export function scheduleOrdinary({ time, scenario, clients, database }: Load, random: Random): void {
  for (let index = 0; index < scenario.messages; index++) {
    const at = random.chance(0.5) ? random.between(0, 500) : random.between(0, scenario.storm);
    const isCrowded = random.chance(scenario.crowded);
    time.after(at, () => {
      const usual = () =>
        scenario.evenly
          ? BEGINNING + random.between(at, scenario.storm)
          : clients.now + random.skewed(-1_000, scenario.storm);
      const dueAt = isCrowded ? BEGINNING + scenario.crowdAt : usual();
      clients.insert(Math.floor(dueAt), (id) => {
        const near = () => (database.rows.get(id)?.dueAt ?? 0) - clients.now + random.between(-600, 150);
        const sometime = () => (random.chance(0.7) ? near() : random.between(0, 3_000));
        if (random.chance(scenario.edits)) time.after(sometime(), () => clients.edit(id));
        if (random.chance(scenario.overwrites)) time.after(sometime(), () => clients.overwrite(id));
        if (random.chance(scenario.cancels)) time.after(sometime(), () => clients.cancel(id));
      });
    });
  }
}

/** When messages of hostile tenants are due that go out before the harm. */
const BEFORE_MS = 2_500;

/** The messages of a hostile tenant, and the message that a transaction locks as soon as it is there. */
export function scheduleHarm({ time, scenario, clients, database }: Load): void {
  const dueAt = BEGINNING + scenario.crowdAt;
  if (scenario.held) clients.insertAs(HELD_ACCOUNT, JSON.stringify('held'), dueAt, (id) => database.locked.add(id));
  const { hostile } = scenario;
  if (hostile === undefined) return;
  for (let n = 0; n < scenario.hostileMessages; n++) {
    const at = isHarmless(hostile, n) ? Math.min(dueAt, BEGINNING + BEFORE_MS) : dueAt;
    time.after(n, () => clients.insertAs(hostileAccount(hostile, n), hostileContent(hostile, n), at));
  }
}
