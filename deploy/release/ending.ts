import type { Release } from '../../connectors/mysql/operators/releases';
import type { LivingWorker } from '../../connectors/mysql/operators/roll-view';
import type { Clock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import { LEASE_MS } from '../../topology/core/lease';
import { namesOf } from './left-over';
import { patiently } from './patiently';
import type { RolloutResult } from './rollout';

export interface EndingOptions {
  /** Releases whose workers an engine may run. */
  readonly elsewhere: readonly Release[];
  /** Ends the workers of such a release. */
  readonly endElsewhere: (release: Release) => Promise<void>;
  /** Ends the workers of the target `local`. @param limitMs one that runs on for longer is a failure */
  readonly endPlaced: (limitMs: number) => Promise<RolloutResult>;
  readonly living: () => Promise<readonly LivingWorker[]>;
  /** Those that may be alive although their lease ran out. */
  readonly lapsed: () => Promise<readonly LivingWorker[]>;
  readonly limitMs: number;
  readonly clock: Clock;
  /** Aborts when the command is to end. */
  readonly signal: AbortSignal;
  readonly report: (text: string) => void;
}

const LOOK_EVERY_MS = 500;
const MOST_NAMED = 10;

/**
 * Ends all workers of a deployment, wherever they run.
 *
 * 1. *Everything has ended only when no worker is alive any more*, whoever has started it: a pod, a container, a unit of systemd.
 * 2. *A worker whose lease ran out has ended only when it does not renew it* while the database answers for as long as a lease: after an
 *    outage nobody's holds at first.
 */
export async function endEverything(options: EndingOptions): Promise<RolloutResult> {
  const { elsewhere, endElsewhere, endPlaced, living, lapsed, limitMs, clock, signal, report } = options;
  try {
    for (const release of elsewhere) await endElsewhere(release);
  } catch (error) {
    if (signal.aborted || !(error instanceof UserError)) throw error;
    return { result: 'failed', reason: error.message };
  }
  const placed = await endPlaced(limitMs);
  if (placed.result !== 'done') return placed;
  const begunMs = clock.monotonic();
  let wasAway = true;
  let steadySinceMs = begunMs;
  const patience = {
    clock,
    signal,
    report: (text: string) => {
      wasAway = true;
      report(text);
    },
  };
  for (;;) {
    const alive = await patiently(patience, living);
    if (wasAway) steadySinceMs = clock.monotonic();
    wasAway = false;
    const isSure = clock.monotonic() - steadySinceMs >= LEASE_MS;
    const left = alive.length > 0 || isSure ? alive : await patiently(patience, lapsed);
    if (left.length === 0) return placed;
    if (signal.aborted) return { result: 'interrupted', done: 0, of: left.length };
    if (clock.monotonic() - begunMs > limitMs) return { result: 'failed', reason: stillAlive(left, limitMs) };
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

/** The releases, one for each target, whose workers an engine may run. @param releases that are live, begun, or failed last */
export function elsewhereOf(releases: readonly Release[]): Release[] {
  const targets = new Map(releases.filter(({ target }) => target !== 'local').map((one) => [one.target, one]));
  return [...targets.values()];
}

function stillAlive(left: readonly LivingWorker[], limitMs: number): string {
  const more = left.length > MOST_NAMED ? `; and ${left.length - MOST_NAMED} more` : '';
  return (
    `after ${Math.round(limitMs / 1_000)} s there still run: ${namesOf(left.slice(0, MOST_NAMED))}${more}. ` +
    'No supervisor ends them: end them where they were started (systemctl stop, kubectl, docker, or a signal).'
  );
}
