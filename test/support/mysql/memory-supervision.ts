import type { PlacementKey, PlacementRow, SupervisorStatus } from '../../../connectors/mysql/operators/placements';
import type {
  RegisteredWorker,
  Supervision,
  SupervisorIdentity,
  SupervisorView,
} from '../../../connectors/mysql/operators/supervision';
import type { ObservedWorker } from '../../../connectors/mysql/schema/schema';
import type { Clock } from '../../../topology/core/clock';
import { Unavailable } from '../../../topology/core/errors';

/** The tables `supervisors`, `placements` and `workers` as supervisors see them, in memory. */
export class MemorySupervision implements Supervision {
  placements: PlacementRow[] = [];
  supervisors: SupervisorStatus[] = [];
  /** Living workers, by the supervisor that started them. */
  workers: (RegisteredWorker & { readonly supervisor: string; readonly owned: Readonly<Record<string, number>> })[] =
    [];
  away = false;

  constructor(private readonly clock: Clock) {}

  want(component: string, replica: number, releaseNumber: number): void {
    const before = this.placements.find((one) => one.component === component && one.replica === replica);
    this.placements = [
      ...this.placements.filter((one) => one !== before),
      { component, replica, restarts: 0, supervisor: null, observed: null, observedAt: null, ...before, releaseNumber },
    ];
  }

  observed(component: string, replica: number): ObservedWorker | null {
    return this.placements.find((one) => one.component === component && one.replica === replica)?.observed ?? null;
  }

  async look({ id, host, pid, version }: SupervisorIdentity, leaseMs: number): Promise<SupervisorView> {
    this.answer();
    const now = this.clock.now();
    const before = this.supervisors.find((one) => one.id === id);
    const startedAt = before?.startedAt ?? now;
    this.supervisors = [
      ...this.supervisors.filter((one) => one.id !== id),
      { id, host, pid, version, startedAt, leaseUntil: now + leaseMs, leftAt: null },
    ];
    return {
      now,
      supervisors: this.supervisors,
      placements: this.placements,
      workers: this.workers.filter(({ supervisor }) => supervisor === id),
      owned: this.workers.map(({ owned }) => owned),
    };
  }

  async claim(id: string, { component, replica, supervisor }: PlacementRow): Promise<boolean> {
    this.answer();
    return this.change((one) => is(one, { component, replica }) && one.supervisor === supervisor, id);
  }

  async release(id: string, key: PlacementKey): Promise<void> {
    this.answer();
    this.change((one) => is(one, key) && one.supervisor === id, null);
  }

  async observe(
    id: string,
    observed: readonly (PlacementKey & { readonly observed: ObservedWorker })[],
  ): Promise<void> {
    this.answer();
    this.placements = this.placements.map((one) => {
      const said = observed.find((other) => is(one, other));
      return said === undefined || one.supervisor !== id
        ? one
        : { ...one, observed: said.observed, observedAt: this.clock.now() };
    });
  }

  async leave(id: string): Promise<void> {
    this.answer();
    const now = this.clock.now();
    this.supervisors = this.supervisors.map((one) => (one.id === id ? { ...one, leftAt: now, leaseUntil: now } : one));
    this.change((one) => one.supervisor === id, null);
  }

  private change(which: (placement: PlacementRow) => boolean, supervisor: string | null): boolean {
    const isAny = this.placements.some(which);
    this.placements = this.placements.map((one) =>
      which(one) ? { ...one, supervisor, observed: null, observedAt: null } : one,
    );
    return isAny;
  }

  private answer(): void {
    if (this.away) throw new Unavailable('MySQL does not answer');
  }
}

function is(one: PlacementKey, other: PlacementKey): boolean {
  return one.component === other.component && one.replica === other.replica;
}
