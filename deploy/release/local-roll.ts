import type { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import { removePlacement, restartPlacement, wantPlacement } from '../../connectors/mysql/operators/placements';
import { openPerSecond, RollLedger } from '../../connectors/mysql/operators/roll-figures';
import { readRollView } from '../../connectors/mysql/operators/roll-view';
import { NOW_MS } from '../../connectors/mysql/sql/literals';
import type { Pool } from '../../connectors/mysql/sql/pool';
import type { Sql } from '../../connectors/mysql/sql/sql';
import type { Clock } from '../../topology/core/clock';
import { haltRules, rollRules } from '../monitoring/halt-rules';
import { crowdText, nothingWaits } from './roll-rules';
import type { RollStep } from './roll-steps';
import { RollWatch } from './roll-watch';
import type { RolloutPort } from './rollout';

/** The tables behind a rollout. What it asks for is asked under the lock. */
export function localPort(pool: Pool, lock: DeployLock): RolloutPort {
  return {
    look: () => readRollView(pool),
    make: (steps, releaseNumber) =>
      lock.transaction(async (sql) => {
        for (const step of steps) await make(sql, step, releaseNumber);
        const [row] = await sql.rows<[number]>(`SELECT ${NOW_MS}`);
        return row?.[0] ?? 0;
      }),
  };
}

async function make(sql: Sql, step: RollStep, releaseNumber: number): Promise<void> {
  if (step.kind === 'end') await removePlacement(sql, step);
  else if (step.kind === 'restart') await restartPlacement(sql, step);
  else await wantPlacement(sql, step, step.releaseNumber ?? releaseNumber);
}

/**
 * Judges a roll by what the workers write.
 * @param isContinued workers of the release run already: what waits may be their doing, so nothing waited before
 * @returns asks for the figures since the last call and says why the roll has to be halted, or null
 */
export async function watchRoll(
  pool: Pool,
  clock: Clock,
  { releaseNumber, isContinued }: { readonly releaseNumber: number; readonly isContinued: boolean },
  channels: readonly string[],
): Promise<() => Promise<string | null>> {
  const ledger = new RollLedger(pool, { lateMs: haltRules.lateMs, veryLateMs: rollRules.veryLateMs });
  const waiting = async () => ({
    overdue: await ledger.overdue(channels, rollRules.overdueSinceMs, haltRules.overdueMs),
    cdcSilentMs: await ledger.cdcSilentMs(),
  });
  const others = await ledger.begin(releaseNumber);
  const before = isContinued ? nothingWaits : await waiting();
  const watch = new RollWatch(clock, { others, ...before });
  const isCrowded = async () => crowdText(await openPerSecond(pool, channels, rollRules.crowdSeconds * 1_000)) !== null;
  return async () => {
    const figures = { ...(await ledger.since(releaseNumber)), ...(await waiting()), isCrowded: await isCrowded() };
    return watch.judge({ ...figures, paused: ledger.paused });
  };
}
