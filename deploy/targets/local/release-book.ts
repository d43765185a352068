import type { Release } from '../../../connectors/mysql/operators/releases';
import { UserError } from '../../../topology/core/errors';
import { parseSpecification } from '../../../topology/settings/topology-settings';
import { drainLimitMs } from '../../worker/drain-limit';
import { programOf } from './program';

/** Of a release that this version cannot read. */
const UNKNOWN_DRAIN_LIMIT_MS = 60_000;
/** A worker bounds its draining itself; only what hangs is killed. */
const AFTER_DRAIN_MS = 5_000;

/** What a supervisor needs to know of a release. */
export type ReleaseToRun = Pick<Release, 'specification' | 'packageVersion' | 'program'>;

/** The releases whose workers run here or are to: what is known of them stays known while the database is away. */
export class ReleaseBook {
  private readonly releases = new Map<number, ReleaseToRun>();
  private readonly missing = new Map<number, string>();

  /** @param read throws a UserError when there is no such release */
  constructor(
    private readonly read: (releaseNumber: number) => Promise<ReleaseToRun>,
    private readonly programs: typeof programOf = programOf,
  ) {}

  /** Reads those that are not known yet, and forgets the others. Throws Unavailable. */
  async learn(numbers: ReadonlySet<number>): Promise<void> {
    for (const number of numbers) {
      if (this.releases.has(number)) continue;
      try {
        this.releases.set(number, await this.read(number));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        this.missing.set(number, error.message);
      }
    }
    for (const known of [this.releases, this.missing]) {
      for (const number of known.keys()) if (!numbers.has(number)) known.delete(number);
    }
  }

  /** What workers of the release run on this host, or why they cannot. */
  programOf(number: number): ReturnType<typeof programOf> {
    const release = this.releases.get(number);
    if (release !== undefined) return this.programs(release);
    return { missing: this.missing.get(number) ?? `nothing is known of release ${number} yet` };
  }

  /** After this a worker that drains is killed. */
  drainLimitMs(number: number, component: string): number {
    const release = this.releases.get(number);
    if (release === undefined) return UNKNOWN_DRAIN_LIMIT_MS;
    try {
      const settings = parseSpecification(release.specification, `release ${number}`);
      return drainLimitMs([component], settings) + AFTER_DRAIN_MS;
    } catch {
      return UNKNOWN_DRAIN_LIMIT_MS;
    }
  }
}
