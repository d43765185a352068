import type { Release } from '../../connectors/mysql/operators/releases';
import { UserError } from '../../topology/core/errors';

type Numbered = Pick<Release, 'number'>;

/**
 * What somebody can do about a release that was interrupted: the command that it is of goes on.
 * @param reason of the release
 * @param live before any release was live there is nothing to go back to
 */
export function waysOn(reason: string, live: Numbered | null): string {
  const again = deployedAgain(reason);
  const goesOn = `\`downspout ${again === null ? reason : `rollback ${again}`}\` goes on`;
  if (live === null) return `${goesOn}, \`downspout kill\` ends what runs`;
  return again === live.number ? goesOn : `${goesOn}, \`downspout rollback ${live.number}\` goes back`;
}

/**
 * Refuses a rollback without a number where a rollback was interrupted: whoever runs it again may mean that it is to go on, and whoever
 * regrets it that it is to be taken back.
 * @param unfinished oldest first
 * @throws UserError naming the command of each
 */
export function requireOneWayBack(live: Numbered, unfinished: readonly Pick<Release, 'number' | 'reason'>[]): void {
  const last = unfinished.at(-1);
  const again = last === undefined ? null : deployedAgain(last.reason);
  if (last === undefined || again === null || again === live.number) return;
  throw new UserError(
    `Release ${last.number} (${last.reason}) was interrupted. Say which way: \`downspout rollback ${again}\` goes on, ` +
      `\`downspout rollback ${live.number}\` takes it back.`,
  );
}

/** The release that a rollback deploys again; null where it is no rollback. */
function deployedAgain(reason: string): number | null {
  const number = /^rollback to (\d+)$/.exec(reason)?.[1];
  return number === undefined ? null : Number(number);
}
