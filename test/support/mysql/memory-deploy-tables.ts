import type { PlacementRow } from '../../../connectors/mysql/operators/placements';
import type { NewRelease, Release, ReleaseOutcome } from '../../../connectors/mysql/operators/releases';
import type { DeployTables } from '../../../deploy/release/deploy-tables';

/** The tables that a deployer reads and writes, in memory. Every operation is atomic. */
export class MemoryDeployTables implements DeployTables {
  releases: Release[] = [];
  placed: PlacementRow[] = [];
  /** Who has deactivated everything. */
  readonly deactivatedBy = new Set<'person' | 'kill'>();
  /** Runs before an operation has its effect; throws for a database that is away. */
  before: (operation: string) => void = () => undefined;
  /** Runs after the effect; throws for an answer that is lost. */
  after: (operation: string) => void = () => undefined;

  live() {
    return this.run('live', () => this.releases.findLast(({ outcome }) => outcome === 'live') ?? null);
  }

  unfinished() {
    return this.run('unfinished', () => this.releases.filter(({ outcome }) => outcome === 'deploying'));
  }

  find(number: number) {
    return this.run('find', () => this.releases.find((one) => one.number === number) ?? null);
  }

  placements() {
    return this.run('placements', () => [...this.placed]);
  }

  isDeactivated() {
    return this.run('isDeactivated', () => this.deactivatedBy.size > 0);
  }

  begin(wanted: NewRelease, isContinued: (last: Release) => boolean) {
    return this.run('begin', () => {
      const unfinished = this.releases.filter(({ outcome }) => outcome === 'deploying');
      const last = unfinished.at(-1);
      const continued = last !== undefined && isContinued(last) ? last : undefined;
      for (const one of unfinished) if (one !== continued) this.set(one.number, 'failed');
      return continued?.number ?? this.add(wanted, 'deploying');
    });
  }

  finish(number: number, outcome: 'live' | 'failed' | 'rolled_back', detail: string | null) {
    return this.run(`finish ${outcome}`, () => {
      if (this.releases.find((one) => one.number === number)?.outcome !== 'deploying') return;
      if (outcome === 'live') {
        for (const one of this.releases) if (one.outcome === 'live') this.set(one.number, 'superseded');
        this.deactivatedBy.delete('kill');
      }
      this.set(number, outcome, detail);
    });
  }

  endKill() {
    return this.run('endKill', () => void this.deactivatedBy.delete('kill'));
  }

  add(release: NewRelease, outcome: ReleaseOutcome): number {
    const number = this.releases.length + 1;
    this.releases.push({ ...release, number, createdAt: 0, outcome, endedAt: null, detail: null });
    return number;
  }

  set(number: number, outcome: ReleaseOutcome, detail: string | null = null): void {
    this.releases = this.releases.map((one) => (one.number === number ? { ...one, outcome, detail } : one));
  }

  private async run<T>(operation: string, work: () => T): Promise<T> {
    this.before(operation);
    const answer = work();
    this.after(operation);
    return answer;
  }
}
