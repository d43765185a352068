import type { NewRelease, Release } from '../../connectors/mysql/operators/releases';
import { UserError } from '../../topology/core/errors';

/** Why a release cannot be deployed while one of another target runs, or null: nobody would end the workers there. */
export function otherTarget(target: NewRelease['target'], running: Pick<Release, 'number' | 'target'>): string | null {
  if (running.target === target) return null;
  return (
    `Release ${running.number} runs on the target ${running.target}. Deploy with \`--target ${running.target}\`, or end its workers ` +
    `with \`downspout kill\` and then deploy to ${target}: messages wait in between.`
  );
}

/** @param running releases that are live, or whose deployment was begun. @throws UserError when one has another target */
export function requireSameTarget(target: NewRelease['target'], running: readonly Release[]): void {
  for (const release of running) {
    const refusal = otherTarget(target, release);
    if (refusal !== null) throw new UserError(refusal);
  }
}
