import { Unavailable } from '../../../topology/core/errors';
import { PAUSES_KNOWN_MS } from '../../../topology/core/pauses';
import { Session } from '../../../topology/runtime/session';
import { ManualClock, settled } from '../../support/manual-clock';
import { MemoryDatabase } from '../../support/mysql/memory-database';

const identity = {
  session: 'ab'.repeat(16),
  components: ['webhook'],
  host: 'h',
  pid: 1,
  version: '0',
  statusUrl: null,
};

describe('Session', () => {
  let clock: ManualClock;
  let database: MemoryDatabase;
  let session: Session;
  let deaths: number;
  let errors: unknown[];

  beforeEach(async () => {
    clock = new ManualClock();
    database = new MemoryDatabase(clock);
    deaths = 0;
    errors = [];
    session = new Session({
      registry: database.registry(),
      identity,
      clock,
      report: () => ({ partitions: { webhook: [1] }, gauges: {} }),
      onDead: () => void deaths++,
      onError: (error) => void errors.push(error),
    });
    await session.open();
  });

  afterEach(async () => {
    const closing = session.close(true);
    await settled();
    await closing;
    if (clock.timers > 0) throw new Error('a timer was left');
  });

  const row = () => database.workers.get(identity.session);
  const reports = () => row()?.report?.pausesReadAt ?? 0;
  const away = (which: readonly string[] = ['renew', 'pulse']) => {
    database.before = (operation) => {
      if (which.includes(operation)) throw new Unavailable('away');
    };
  };

  it('1. The lease ends here before it ends in the database: it is counted from before each renewal was sent, with a margin.', async () => {
    // The answer takes four seconds: the database counted from its end, this side from its beginning.
    let renewals = 0;
    database.before = (operation) => {
      if (operation !== 'renew') return undefined;
      if (renewals++ > 0) throw new Unavailable('away');
      return clock.sleep(4_000);
    };
    await clock.advance(7_000);
    expect(row()?.leaseUntil).toBe(database.now() + 10_000);
    await clock.advance(4_999);
    expect(session.holds()).toBe(true);
    await clock.advance(1);
    expect(session.holds()).toBe(false);
    expect(row()?.leaseUntil).toBe(database.now() + 5_000);
  });

  it('renews every three seconds and reports', async () => {
    expect(session.holds()).toBe(true);
    await clock.advance(60_000);
    expect(session.holds()).toBe(true);
    expect(row()?.leaseUntil).toBeGreaterThan(database.now() + 6_000);
    expect(row()?.report?.partitions).toEqual({ webhook: [1] });
    expect(errors).toEqual([]);
  });

  it('2. A session that was marked dead never holds its lease again.', async () => {
    (row() as { dead: boolean }).dead = true;
    await clock.advance(3_000);
    expect(session.holds()).toBe(false);
    expect(deaths).toBe(1);
    (row() as { dead: boolean }).dead = false;
    await clock.advance(30_000);
    expect(session.holds()).toBe(false);
    expect(deaths).toBe(1);
  });

  it('3. While the database is away renewals are retried; a lease that ran out and that nobody took away holds again.', async () => {
    away();
    await clock.advance(20_000);
    expect(session.holds()).toBe(false);
    expect(errors.length).toBeGreaterThan(10);
    database.before = () => {};
    await clock.advance(500);
    expect(session.holds()).toBe(true);
    expect(deaths).toBe(0);
  });

  it('goes on, and says so, where nobody can read who is at a limit: the database is older than the worker', async () => {
    const registry = database.registry();
    const unread = new Unavailable('no such table');
    const other = new Session({
      registry: { ...registry, pulse: async () => ({ ...(await registry.pulse()), limitsUnread: unread }) },
      identity,
      clock,
      report: () => ({ partitions: {}, gauges: {} }),
      onDead: () => void deaths++,
      onError: (error) => void errors.push(error),
    });
    await other.open();
    expect([other.known(), errors]).toEqual([true, [unread]]);
    const closing = other.close(false);
    await settled();
    await closing;
  });

  it('9. An account that is at a limit, or a channel, is paused until an instant, and goes on then without another pulse.', async () => {
    const bolts = session.pausesOfBolts;
    const limits = database.sendLimits('webhook');
    const quota = { rates: [{ count: 1, windowMs: 20_000 }], gapMs: 0 };
    const { opensAt } = await limits.take({ perAccount: quota }, [{ account: 'ann', count: 2 }]);
    await limits.hold('bob', 3_000);
    await database.sendLimits('x').hold('', 3_000);
    // By a server whose clock was a year ahead.
    await database.sendLimits('y').hold('', 365 * 86_400_000);
    await clock.advance(1_000);
    expect([session.channelPaused('y'), bolts.paused('y', 'ann')]).toEqual([false, false]);
    expect(['ann', 'bob', 'carl'].map((account) => session.paused('webhook', account))).toEqual([true, true, false]);
    // What it allowed itself a bolt knows better.
    expect(['ann', 'bob', 'carl'].map((account) => bolts.paused('webhook', account))).toEqual([false, true, false]);
    // Nobody waits for what a provider holds up: it has its videos ready when it goes on.
    expect([bolts.awaited('webhook', 'bob'), bolts.awaited('x', 'carl')]).toEqual([false, false]);
    expect([session.channelPaused('x'), bolts.paused('x', 'carl'), session.channelPaused('webhook')]).toEqual([
      true,
      true,
      false,
    ]);
    away(['pulse']);
    await clock.advance(2_100);
    expect([session.paused('webhook', 'bob'), bolts.paused('webhook', 'bob'), session.channelPaused('x')]).toEqual([
      false,
      false,
      false,
    ]);
    expect(session.paused('webhook', 'ann')).toBe(true);
    database.before = () => {};
    await clock.advance((opensAt.get('ann') ?? 0) - database.now() + 500);
    expect(session.paused('webhook', 'ann')).toBe(false);
  });

  it('10. A session whose database belongs to another deployment is dead, because it would send messages that are not its own.', async () => {
    database.belongsElsewhere = true;
    await clock.advance(1_000);
    expect([session.holds(), deaths, errors]).toEqual([false, 1, []]);
    database.belongsElsewhere = false;
    await clock.advance(30_000);
    expect([session.holds(), deaths]).toEqual([false, 1]);
  });

  it("4. The clock's bounds and the pauses are those of the last pulse.", async () => {
    expect(session.databaseClock.earliest()).toBe(database.now());
    expect(session.paused('webhook', 'ann')).toBe(false);
    database.pausedAccounts = [{ channel: 'webhook', account: 'ann' }];
    database.pausedChannels.add('x');
    await clock.advance(1_000);
    expect([session.paused('webhook', 'ann'), session.paused('webhook', 'bob'), session.paused('x', 'bob')]).toEqual([
      true,
      false,
      true,
    ]);
    expect([session.channelPaused('webhook'), session.channelPaused('x')]).toEqual([false, true]);
    database.pausedChannels.clear();
    away(['pulse']);
    await clock.advance(5_000);
    expect(session.channelPaused('x')).toBe(true);
    await clock.advance(30_000);
    expect(session.databaseClock.earliest()).toBe(Number.NEGATIVE_INFINITY);
    database.before = () => {};
    await clock.advance(500);
    expect(session.channelPaused('x')).toBe(false);
    database.deactivated = true;
    await clock.advance(1_000);
    expect([session.channelPaused('x'), session.paused('webhook', 'bob')]).toEqual([true, true]);
    expect(session.databaseClock.latest()).toBeGreaterThanOrEqual(database.now());
  });

  it('5. A machine that was suspended for longer than the lease holds no lease when it wakes: others have it.', async () => {
    clock.suspend(60_000);
    expect(session.holds()).toBe(false);
    await clock.advance(3_000);
    expect(session.holds()).toBe(true);
    away();
    clock.suspend(8_000);
    expect(session.holds()).toBe(true);
    await clock.advance(1_001);
    expect(session.holds()).toBe(false);
  });

  it("6. When the database's clock turns out to have run ahead, the lease is out until the database has renewed it.", async () => {
    // As after a pause in which both clocks of the machine stood still.
    database.skew = 60_000;
    let holdsWhileRenewing: boolean | undefined;
    database.before = (operation) => {
      if (operation === 'renew') holdsWhileRenewing ??= session.holds();
    };
    await clock.advance(1_000);
    expect(holdsWhileRenewing).toBe(false);
    expect(session.holds()).toBe(true);
    expect(deaths).toBe(0);
  });

  it('6. The answer to a renewal that was sent before the clock ran ahead does not give the lease back.', async () => {
    const registry = database.registry();
    // The database renews at once; its answers are on their way for longer and longer.
    const underWayMs = [1_500, 4_000];
    let sent = 0;
    const slow = new Session({
      registry: {
        ...registry,
        renew: async (...renewal) => {
          const answer = await registry.renew(...renewal);
          const ms = underWayMs[sent++ - 1];
          if (ms !== undefined) await clock.sleep(ms);
          return answer;
        },
      },
      identity,
      clock,
      report: () => ({ partitions: {}, gauges: {} }),
      onDead: () => void deaths++,
      onError: (error) => void errors.push(error),
    });
    await slow.open();
    await clock.advance(3_200);
    expect(sent).toBe(2);
    database.skew = 60_000;
    await clock.advance(800);
    expect([sent, slow.holds()]).toEqual([3, false]);
    // Now the first of the two answers comes.
    await clock.advance(600);
    expect(slow.holds()).toBe(false);
    // The renewal that was sent after the clock had run ahead is answered, or a later one.
    await clock.advance(4_000);
    expect(slow.holds()).toBe(true);
    const closing = slow.close(false);
    await settled();
    await closing;
  });

  it('7. What is paused is known only for a moment after it was asked for, however long the lease holds.', async () => {
    expect(session.known()).toBe(true);
    away(['pulse']);
    await clock.advance(PAUSES_KNOWN_MS - 1);
    expect(session.known()).toBe(true);
    await clock.advance(1);
    expect([session.known(), session.holds()]).toEqual([false, true]);
    // Also an answer that is underway for longer says nothing.
    database.before = (operation) => (operation === 'pulse' ? clock.sleep(PAUSES_KNOWN_MS) : undefined);
    await clock.advance(5_000);
    expect(session.known()).toBe(false);
    database.before = () => {};
    await clock.advance(PAUSES_KNOWN_MS);
    expect(session.known()).toBe(true);
    clock.suspend(PAUSES_KNOWN_MS);
    expect([session.known(), session.holds()]).toEqual([false, true]);
  });

  it('8. A pause of a command that adds partitions stops what is emitted, and bolts send what was.', async () => {
    database.emissionPausedChannels.add('x');
    const begun = database.now();
    await clock.advance(1_000);
    expect([session.channelPaused('x'), session.paused('x', 'bob'), session.paused('webhook', 'bob')]).toEqual([
      true,
      true,
      false,
    ]);
    expect([session.pausesOfBolts.channelPaused('x'), session.pausesOfBolts.paused('x', 'bob')]).toEqual([
      false,
      false,
    ]);
    // The command waits for what bolts still make ready.
    expect([session.pausesOfBolts.awaited('x', 'bob'), session.pausesOfBolts.awaited('webhook', 'bob')]).toEqual([
      true,
      false,
    ]);
    // It is reported with the pulse, not only with the next renewal of the lease.
    expect(reports()).toBeGreaterThanOrEqual(begun);
    const before = reports();
    await clock.advance(1_000);
    expect(reports()).toBe(before + 1_000);
    database.emissionPausedChannels.clear();
    database.pausedChannels.add('x');
    await clock.advance(1_000);
    expect([session.channelPaused('x'), session.pausesOfBolts.paused('x', 'bob')]).toEqual([true, true]);
  });

  it('holds no lease when it is opened again after it was marked dead', async () => {
    (row() as { dead: boolean }).dead = true;
    const again = new Session({
      registry: database.registry(),
      identity,
      clock,
      report: () => ({ partitions: {}, gauges: {} }),
      onDead: () => void deaths++,
      onError: (error) => void errors.push(error),
    });
    await again.open();
    expect([again.holds(), deaths]).toEqual([false, 1]);
    const closing = again.close(true);
    await settled();
    await closing;
  });

  it('holds its lease while the wall clock is set back, and not for longer', async () => {
    clock.suspend(-3_600_000);
    expect(session.holds()).toBe(true);
    away(['renew']);
    await clock.advance(9_000);
    expect(session.holds()).toBe(false);
    clock.suspend(3_600_000);
  });

  it('leaves the register only when it owns nothing', async () => {
    await session.close(false);
    expect(session.holds()).toBe(false);
    expect(row()?.dead).toBe(false);
    await session.close(true);
    expect(row()?.dead).toBe(true);
  });
});
