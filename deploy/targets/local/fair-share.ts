import type { PlacementRow, SupervisorStatus } from '../../../connectors/mysql/operators/placements';

export interface Shares {
  readonly self: string;
  readonly placements: readonly PlacementRow[];
  readonly supervisors: LivingSupervisors;
}

export interface LivingSupervisors {
  /** Those that are not known to be dead, this one among them: what they run is theirs. */
  readonly living: ReadonlySet<string>;
  /** Those whose lease holds now: the work is shared among them. */
  readonly present: ReadonlySet<string>;
}

/** How many placements each supervisor runs at most. */
function fairShare({ placements, supervisors }: Shares): number {
  return Math.ceil(placements.length / Math.max(1, supervisors.present.size));
}

/** Placements that nobody runs and that this supervisor may take, up to its fair share; replicas of a component are spread. */
export function toClaim(shares: Shares): PlacementRow[] {
  const { self, placements, supervisors } = shares;
  const free = placements.filter(({ supervisor }) => supervisor === null || !supervisors.living.has(supervisor));
  const ours = placements.filter(({ supervisor }) => supervisor === self);
  const claimed: PlacementRow[] = [];
  const countOf = (component: string) => [...ours, ...claimed].filter((one) => one.component === component).length;
  const wanted = Math.min(free.length, Math.max(0, fairShare(shares) - ours.length));
  while (claimed.length < wanted) {
    const left = free.filter((one) => !claimed.includes(one));
    const [first] = left.toSorted((a, b) => countOf(a.component) - countOf(b.component));
    claimed.push(first as PlacementRow);
  }
  return claimed;
}

/**
 * Placements of ours that another supervisor should take, because this one has more than its share and they are to be replaced
 * in any case. Nothing that runs is moved for balance alone.
 */
export function toHandOver(shares: Shares, isToBeReplaced: (placement: PlacementRow) => boolean): PlacementRow[] {
  const { self, placements, supervisors } = shares;
  const share = fairShare(shares);
  const countOf = (id: string) => placements.filter(({ supervisor }) => supervisor === id).length;
  const room = [...supervisors.present].reduce(
    (sum, id) => sum + (id === self ? 0 : Math.max(0, share - countOf(id))),
    0,
  );
  const free = placements.filter(({ supervisor }) => supervisor === null).length;
  const surplus = Math.min(countOf(self) - share, room - free);
  return placements.filter((one) => one.supervisor === self && isToBeReplaced(one)).slice(0, Math.max(0, surplus));
}

/** A supervisor's lease and how long it has been seen as it is. */
interface SeenLease {
  readonly leaseUntil: number;
  /** Monotonic milliseconds. */
  readonly sinceMs: number;
}

/**
 * Which supervisors live.
 *
 * 1. *A supervisor is taken for dead only after this one has itself seen its lease unrenewed for its whole length*, so neither
 *    an outage of the database nor a step of its clock moves work.
 * 2. *One that left in good order is gone at once.*
 */
export class LeaseWatch {
  private readonly seen = new Map<string, SeenLease>();

  constructor(private readonly leaseMs: number) {}

  /** @param now by the database's clock @param nowMs monotonic */
  look(supervisors: readonly SupervisorStatus[], now: number, nowMs: number): LivingSupervisors {
    const living = new Set<string>();
    const present = new Set<string>();
    for (const { id, leaseUntil, leftAt } of supervisors) {
      const before = this.seen.get(id);
      const sinceMs = before?.leaseUntil === leaseUntil ? before.sinceMs : nowMs;
      this.seen.set(id, { leaseUntil, sinceMs });
      const isOut = leaseUntil < now && nowMs - sinceMs >= this.leaseMs;
      if (leftAt === null && !isOut) living.add(id);
      if (leftAt === null && leaseUntil >= now) present.add(id);
    }
    for (const id of this.seen.keys()) if (!supervisors.some((one) => one.id === id)) this.seen.delete(id);
    return { living, present };
  }

  /** What was seen counts no more: the database was away, for others too. */
  forget(): void {
    this.seen.clear();
  }
}
