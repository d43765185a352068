import {
  listPlacements,
  listSupervisors,
  type PlacementKey,
  removePlacement,
  wantPlacement,
} from '../../../connectors/mysql/operators/placements';
import { beginRelease, finishRelease } from '../../../connectors/mysql/operators/releases';
import { systemClock } from '../../../topology/core/clock';
import { packageVersion } from '../../../topology/settings/package';
import { Host } from '../../support/stack/hosts';
import { until } from '../../support/until';
import { type Arena, WORKERS } from './arena';

const READY_MS = 90_000;

/** The workers of an arena as two hosts with supervisors run them, in the place of its own crew. */
export class TwoHosts {
  private constructor(
    private readonly arena: Arena,
    readonly hosts: readonly [Host, Host],
    private readonly placements: readonly PlacementKey[],
  ) {}

  static async start(arena: Arena): Promise<TwoHosts> {
    const { sql, crew, environment } = arena;
    for (const name of crew.names) await crew.stop(name);
    const release = await beginRelease(sql, {
      specification: { components: { due: {}, webhook: { backOffMax: '2s', timeout: '5s' } } },
      packageVersion: packageVersion(),
      image: null,
      program: null,
      target: 'local',
      environment: null,
      reason: 'recovery',
      who: 'test',
      host: 'test',
    });
    await finishRelease(sql, release, 'live');
    const placements = WORKERS.map((name): PlacementKey => {
      const [component = '', index] = name.split('-');
      return { component, replica: Number(index) + 1 };
    });
    // The arena ends them where an error or an interruption keeps anybody from calling `stop`.
    const host = () =>
      arena.beside.begin(
        () => Host.start(environment),
        (one) => one.clear(),
      );
    const both = new TwoHosts(arena, [host(), host()], placements);
    // Whichever came first would take all of them.
    await until('both hosts have a supervisor', async () => (await living(arena)) === both.hosts.length, READY_MS);
    for (const placement of placements) await wantPlacement(sql, placement, release);
    await until('every worker is ready', () => both.areReady(), READY_MS);
    await until('both hosts run workers', () => both.hosts.every(({ pids }) => pids.length > 0), READY_MS);
    return both;
  }

  /** Ends what is left, so that the arena's own crew may run again. */
  async stop(): Promise<void> {
    try {
      for (const placement of this.placements) await removePlacement(this.arena.sql, placement);
    } finally {
      await Promise.all(this.hosts.map((host) => host.clear()));
    }
    await this.arena.sql.run("UPDATE releases SET outcome='superseded' WHERE outcome='live'");
  }

  private async areReady(): Promise<boolean> {
    const rows = await listPlacements(this.arena.sql);
    return rows.length === this.placements.length && rows.every(({ observed }) => observed?.state === 'ready');
  }
}

/** Supervisors whose lease runs. */
async function living({ sql }: Arena): Promise<number> {
  return (await listSupervisors(sql)).filter(
    ({ leftAt, leaseUntil }) => leftAt === null && leaseUntil > systemClock.now(),
  ).length;
}
