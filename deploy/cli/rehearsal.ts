import { placementName } from '../../connectors/mysql/operators/placements';
import { systemClock } from '../../topology/core/clock';
import { type PlanOptions, planOf } from '../release/plan';
import type { Deployable } from '../release/plan-types';
import { readLive } from '../release/read-live';
import { planText } from './plan-text';
import type { VerbContext } from './verb';

/**
 * Of `--dry-run`: says what deploying would change, as `plan` does. The exit code is 1 when it would be refused.
 * @param from where the specification is from: files, or `release 3`
 */
export async function tellPlan(
  { output, settings }: VerbContext,
  wanted: Deployable,
  from: readonly string[],
  options: PlanOptions = {},
): Promise<void> {
  const live = await readLive(settings.environment, wanted.settings, systemClock);
  const plan = planOf(wanted, live, options);
  if (plan.refusals.length > 0 || live.unknown.length > 0) process.exitCode = 1;
  const { number } = live.release ?? { number: null };
  output.data({ files: from, release: number, ...plan, unknown: live.unknown }, () =>
    planText(plan, live, from, output),
  );
}

/** Of `--dry-run`: names the workers that would be replaced or ended. @param what `would be restarted` */
export function tellWorkers(
  { output }: VerbContext,
  workers: readonly { readonly component: string; readonly replica: number | null }[],
  what: string,
): void {
  const names = workers.map(({ component, replica }) =>
    replica === null ? component : placementName({ component, replica }),
  );
  output.data({ workers: names, dryRun: true }, () =>
    names.length === 0 ? `No worker ${what}.` : `${names.join(', ')} ${what}.`,
  );
}
