import { type PlacementRow, placementName } from '../../../connectors/mysql/operators/placements';
import type { RunningWorker } from '../../../connectors/mysql/operators/roll-view';
import type { ObservedWorker } from '../../../connectors/mysql/schema/schema';
import type { RollStep } from '../../../deploy/release/roll-steps';
import type { RolloutPort } from '../../../deploy/release/rollout';
import { Unavailable } from '../../../topology/core/errors';
import type { ManualClock } from '../../support/manual-clock';
import { placement } from './placements';

/** Supervisors in memory: a worker that is asked for is ready after `readyMs`, unless it is said to crash. */
export class MemorySupervisors implements RolloutPort {
  readonly placements = new Map<string, PlacementRow>();
  readonly log: string[] = [];
  /** Workers that nobody asks for any more. */
  draining: RunningWorker[] = [];
  /** Workers whose lease ran out. */
  lapsed: RunningWorker[] = [];
  crashing: string | null = null;
  hanging: string | null = null;
  away = 0;
  private readonly askedAt = new Map<string, number>();

  constructor(
    private readonly clock: ManualClock,
    private readonly readyMs = 1_000,
  ) {
    for (const one of ['webhook', 'due']) {
      for (const replica of [1, 2]) this.placements.set(`${one}-${replica}`, placement(one, replica));
    }
  }

  async look() {
    if (this.away-- > 0) throw new Unavailable('MySQL does not answer');
    for (const [name, at] of this.askedAt) if (this.clock.now() - at >= this.readyMs) this.observe(name);
    const placements = [...this.placements.values()];
    const running = { host: 'host-1', pid: 42, isSupervised: true };
    const workers = placements.map(({ component, replica, releaseNumber }) => ({ component, replica, releaseNumber }));
    return {
      placements,
      workers: [...workers.map((one) => ({ ...one, ...running })), ...this.draining],
      lapsed: this.lapsed,
      supervisors: ['host-1'],
    };
  }

  async make(steps: readonly RollStep[], releaseNumber: number) {
    this.log.push(steps.map((one) => `${one.kind} ${placementName(one)}`).join(' + '));
    for (const step of steps) {
      const name = placementName(step);
      const before = this.placements.get(name);
      if (step.kind === 'end') this.placements.delete(name);
      else {
        const observed = before?.observed ?? null;
        this.placements.set(name, { ...placement(step.component, step.replica, { releaseNumber }), observed });
        this.askedAt.set(name, this.clock.now());
      }
    }
    return this.clock.now();
  }

  private observe(name: string): void {
    const one = this.placements.get(name);
    if (one === undefined || name === this.hanging) return;
    const own: Partial<ObservedWorker> =
      name === this.crashing
        ? { releaseNumber: 1, state: 'crash_looping', deaths: 3, lastError: 'exit code 1' }
        : { releaseNumber: one.releaseNumber };
    const ready = placement('any', 1).observed as ObservedWorker;
    this.placements.set(name, { ...one, observedAt: this.clock.now(), observed: { ...ready, ...own } });
  }
}
