import type { NewRelease, Release } from '../../connectors/mysql/operators/releases';
import { UserError } from '../../topology/core/errors';
import { isSameRelease } from './same-release';

type Numbered = Pick<Release, 'number'>;

/** What workers have beside their release, by target. */
const BESIDE: Readonly<Record<NewRelease['target'], string | null>> = {
  local: null,
  kubernetes: 'settings.env',
  compose: 'workers.env, a file that it names, or the image',
};

/** The only way where there is nothing to go back from. @param reason of the release */
export function wayOn(reason: string): string {
  return `\`${commandOf(reason)}\` goes on`;
}

/**
 * What somebody can do about a release that was interrupted: the command that it is of goes on.
 * @param reason of the release
 * @param live before any release was live there is nothing to go back to
 */
export function waysOn(reason: string, live: Numbered | null): string {
  const goesOn = wayOn(reason);
  if (live === null) return `${goesOn}, \`downspout kill\` ends what runs`;
  return deployedAgain(reason) === live.number ? goesOn : `${goesOn}, \`downspout rollback ${live.number}\` goes back`;
}

/** The same where an engine may run the workers: a release that says what the live one says differs only in what is beside both. */
export function waysOnFrom(interrupted: NewRelease, live: Release | null): string {
  const beside = otherBeside(interrupted, live);
  if (live === null || beside === null) return waysOn(interrupted.reason, live);
  return (
    `${wayOn(interrupted.reason)}. Release ${live.number} says the same, so no rollback to it goes back: for that put right what workers ` +
    `have beside their release (${beside}), then run \`${commandOf(interrupted.reason)}\``
  );
}

/**
 * Refuses a rollback to the live release that would finish what it is to take back, because a rollback takes what workers have beside
 * their release as it is now.
 * @param unfinished oldest first
 * @throws UserError saying what takes it back
 */
export function requireWayBack(wanted: NewRelease, live: Release | null, unfinished: readonly Release[]): void {
  const last = unfinished.at(-1);
  if (live === null || last === undefined || last.reason === wanted.reason) return;
  if (deployedAgain(wanted.reason) !== live.number || otherBeside(last, live) === null) return;
  throw new UserError(
    `Release ${last.number} (${last.reason}) was interrupted, and nothing is changed: ${waysOnFrom(last, live)}.`,
  );
}

/**
 * Refuses a rollback without a number where a rollback was interrupted: whoever runs it again may mean that it is to go on, and whoever
 * regrets it that it is to be taken back. Where there is no way back `requireWayBack` says so.
 * @param unfinished oldest first
 * @throws UserError naming the command of each
 */
export function requireOneWayBack(live: Release, unfinished: readonly Release[]): void {
  const last = unfinished.at(-1);
  const again = last === undefined ? null : deployedAgain(last.reason);
  if (last === undefined || again === null || again === live.number || otherBeside(last, live) !== null) return;
  throw new UserError(
    `Release ${last.number} (${last.reason}) was interrupted. Say which way: \`downspout rollback ${again}\` goes on, ` +
      `\`downspout rollback ${live.number}\` takes it back.`,
  );
}

/** What tells a release from the live one where only that does; null where what they say does. */
function otherBeside(one: NewRelease, live: Release | null): string | null {
  return live !== null && isSameRelease(live, one) ? BESIDE[one.target] : null;
}

/** What goes on with a release. */
function commandOf(reason: string): string {
  const again = deployedAgain(reason);
  return `downspout ${again === null ? reason : `rollback ${again}`}`;
}

/** The release that a rollback deploys again; null where it is no rollback. */
function deployedAgain(reason: string): number | null {
  const number = /^rollback to (\d+)$/.exec(reason)?.[1];
  return number === undefined ? null : Number(number);
}
