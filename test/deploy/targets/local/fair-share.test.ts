import type { PlacementRow, SupervisorStatus } from '../../../../connectors/mysql/operators/placements';
import { LeaseWatch, toClaim, toHandOver } from '../../../../deploy/targets/local/fair-share';

const placement = (component: string, replica: number, supervisor: string | null): PlacementRow => ({
  component,
  replica,
  supervisor,
  releaseNumber: 1,
  restarts: 0,
  observed: null,
  observedAt: null,
});
const supervisor = (over: Partial<SupervisorStatus> = {}): SupervisorStatus => ({
  id: 'b',
  host: 'h',
  pid: 1,
  version: '1',
  startedAt: 0,
  leaseUntil: 5_000,
  leftAt: null,
  ...over,
});
const present = (...ids: string[]) => ({ living: new Set(ids), present: new Set(ids) });
const names = (placements: readonly PlacementRow[]) =>
  placements.map(({ component, replica }) => `${component}-${replica}`);

describe('what a supervisor takes', () => {
  const free = [1, 2].flatMap((replica) => [placement('due', replica, null), placement('webhook', replica, null)]);

  test('everything when it is alone', () => {
    expect(toClaim({ self: 'a', placements: free, supervisors: present('a') })).toHaveLength(4);
  });

  test('its fair share beside another, with the replicas of a component spread', () => {
    const claimed = toClaim({ self: 'a', placements: free, supervisors: present('a', 'b') });
    expect(names(claimed)).toEqual(['due-1', 'webhook-1']);
  });

  test('nothing of one that lives, and all of one that died', () => {
    const placements = [placement('due', 1, 'a'), placement('due', 2, 'b')];
    expect(toClaim({ self: 'a', placements, supervisors: present('a', 'b') })).toEqual([]);
    expect(names(toClaim({ self: 'a', placements, supervisors: present('a') }))).toEqual(['due-2']);
  });

  test('nothing of one whose lease is out for the moment, although it has no share in new work', () => {
    const placements = [placement('due', 1, 'a'), placement('due', 2, 'b'), placement('due', 3, null)];
    const supervisors = { living: new Set(['a', 'b']), present: new Set(['a']) };
    expect(names(toClaim({ self: 'a', placements, supervisors }))).toEqual(['due-3']);
  });
});

describe('what a supervisor gives', () => {
  const all = [1, 2, 3, 4].map((replica) => placement('webhook', replica, 'a'));

  test('what is above its share and to be replaced in any case', () => {
    const given = toHandOver(
      { self: 'a', placements: all, supervisors: present('a', 'b') },
      ({ replica }) => replica > 1,
    );
    expect(names(given)).toEqual(['webhook-2', 'webhook-3']);
  });

  test('nothing that runs, for balance alone', () => {
    expect(toHandOver({ self: 'a', placements: all, supervisors: present('a', 'b') }, () => false)).toEqual([]);
  });

  test('nothing when nobody else is there, or what it gave before is still free', () => {
    expect(toHandOver({ self: 'a', placements: all, supervisors: present('a') }, () => true)).toEqual([]);
    const given = all.map((one) => (one.replica > 2 ? { ...one, supervisor: null } : one));
    expect(toHandOver({ self: 'a', placements: given, supervisors: present('a', 'b') }, () => true)).toEqual([]);
  });
});

describe('who lives', () => {
  test('1. A supervisor is taken for dead only after this one has itself seen its lease unrenewed for its whole length', () => {
    const watch = new LeaseWatch(5_000);
    // The database's clock jumps an hour ahead.
    expect([...watch.look([supervisor()], 3_600_000, 0).living]).toEqual(['b']);
    expect([...watch.look([supervisor()], 3_604_999, 4_999).living]).toEqual(['b']);
    expect([...watch.look([supervisor()], 3_605_000, 5_000).living]).toEqual([]);
    expect([...watch.look([supervisor({ leaseUntil: 3_611_000 })], 3_606_000, 6_000).living]).toEqual(['b']);
  });

  test('after an outage of the database it is watched anew', () => {
    const watch = new LeaseWatch(5_000);
    watch.look([supervisor()], 1_000, 0);
    watch.forget();
    expect([...watch.look([supervisor()], 60_000, 60_000).living]).toEqual(['b']);
    expect([...watch.look([supervisor()], 60_000, 60_000).present]).toEqual([]);
  });

  test('2. One that left in good order is gone at once', () => {
    const { living, present: there } = new LeaseWatch(5_000).look([supervisor({ leftAt: 1 })], 2, 0);
    expect([...living, ...there]).toEqual([]);
  });
});
