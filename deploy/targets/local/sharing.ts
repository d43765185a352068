import {
  type PlacementRow,
  placementName,
  type SupervisorStatus,
} from '../../../connectors/mysql/operators/placements';
import type { Supervision, SupervisorView } from '../../../connectors/mysql/operators/supervision';
import type { Log } from '../../../topology/runtime/log';
import { LeaseWatch, type LivingSupervisors, toClaim, toHandOver } from './fair-share';
import type { Standing } from './next-steps';

/** A supervisor that has not renewed its lease for so long is dead, and others take its work. */
export const LEASE_MS = 5_000;

/** What this host is to run, after it has taken and given. */
export interface Shared extends LivingSupervisors {
  readonly placements: readonly PlacementRow[];
}

/** Shares the placements with other hosts by conditional updates, so that nobody has to be asked. */
export class Sharing {
  private readonly leases = new LeaseWatch(LEASE_MS);

  constructor(
    private readonly self: string,
    private readonly supervision: Supervision,
    private readonly log: Log,
  ) {}

  /**
   * Takes what is free, and gives what is to be replaced and another host should have.
   * @param nowMs monotonic
   */
  async share(
    view: SupervisorView,
    isToBeReplaced: (placement: PlacementRow) => boolean,
    nowMs: number,
  ): Promise<Shared> {
    const { self, supervision, log } = this;
    const supervisors = this.leases.look(view.supervisors, view.now, nowMs);
    let { placements } = view;
    const become = (one: PlacementRow, supervisor: string | null) => {
      placements = placements.map((other) => (other === one ? { ...one, supervisor, observed: null } : other));
    };
    for (const one of toClaim({ self, placements, supervisors })) {
      if (!(await supervision.claim(self, one))) continue;
      become(one, self);
      const from = one.supervisor === null ? '' : ` of ${hostOf(view.supervisors, one.supervisor)}, whose lease is out`;
      log.info(`took ${placementName(one)}${from}`);
    }
    for (const one of toHandOver({ self, placements, supervisors }, isToBeReplaced)) {
      await supervision.release(self, one);
      become(one, null);
      log.info(`leaves ${placementName(one)} to another host, which has less to do`);
    }
    return { placements, ...supervisors };
  }

  /** The database was away: what was seen of others before says nothing, because they could not renew either. */
  forget(): void {
    this.leases.forget();
  }
}

/** How a placement stands to the supervisor `self`. */
export function standingOf(placement: PlacementRow | undefined, self: string, living: ReadonlySet<string>): Standing {
  if (placement === undefined) return 'gone';
  const { supervisor, observed, releaseNumber, restarts } = placement;
  if (supervisor === self) return 'ours';
  const isReady = observed?.state === 'ready' || observed?.state === 'draining';
  const isWanted = observed?.releaseNumber === releaseNumber && observed.restarts === restarts;
  return isReady && isWanted && supervisor !== null && living.has(supervisor) ? 'ready_elsewhere' : 'elsewhere';
}

function hostOf(supervisors: readonly SupervisorStatus[], id: string): string {
  return supervisors.find((one) => one.id === id)?.host ?? 'a host that is forgotten';
}
