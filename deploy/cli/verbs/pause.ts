import type { Command } from 'commander';
import type { Pause, PauseEnd, PauseScope } from '../../../connectors/mysql/operators/operations';
import { parseDurationMs } from '../../../topology/core/quantities';
import { formatInstant } from '../../console/units';
import { audited } from '../audited';
import { channelsFor } from '../channels';
import { withOperations } from '../database';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../verb';

interface PauseOptions extends ChangeOptions {
  readonly account?: string;
  readonly until?: string;
}

/** `downspout pause`. */
export function pauseCommand(): Command {
  return changingVerb('pause', 'send nothing of a channel, or of one account on it, until it is resumed', {
    example: 'downspout pause webhook --account acme --until 2h',
  })
    .argument('<channel>')
    .option('--account <name>', 'only this account')
    .option(...untilOption)
    .action(async (channel: string, options: PauseOptions) => {
      const context = contextOf(options);
      const scope = { channel, account: options.account ?? null };
      const pause = await beginPause(context, 'pause', scope, options.until);
      context.output.data(
        { ...pause, result: 'paused' },
        () =>
          `${nameOf(scope)} is paused${untilText(pause)}; workers see it within 2 s, and what is being sent is finished. \`downspout resume\` ends it.`,
      );
    });
}

export const untilOption = [
  '--until <when>',
  'when it ends by itself: a time (ISO 8601 with a zone, or epoch milliseconds), or a length such as 2h',
] as const;

/** Pauses what the scope names. @returns the pause as it is now */
export function beginPause(
  context: VerbContext,
  verb: string,
  scope: PauseScope,
  until: string | undefined,
): Promise<Pause> {
  return audited(context, { verb, subject: nameOf(scope) }, async (change) => {
    const end = until === undefined ? undefined : endOf(until);
    const { schemas } = channelsFor(context);
    const { before, after } = await withOperations(context, (operations) => operations.pause(scope, end, schemas));
    change.before = before;
    change.after = after;
    return after;
  });
}

/** Ends the pause of what the scope names. @throws what `missing` gives when there is none */
export function endPause(context: VerbContext, verb: string, scope: PauseScope, missing: () => Error): Promise<Pause> {
  return audited(context, { verb, subject: nameOf(scope) }, async (change) => {
    const pause = await withOperations(context, (operations) => operations.resume(scope));
    if (pause === null) throw missing();
    change.before = pause;
    return pause;
  });
}

/** What a scope is called in texts and in the audit. */
export function nameOf({ channel, account }: PauseScope): string {
  if (channel === null) return 'everything';
  return account === null ? channel : `${account} on ${channel}`;
}

export function untilText({ untilAt }: Pause): string {
  return untilAt === null ? '' : ` until ${formatInstant(untilAt)}`;
}

function endOf(until: string): PauseEnd {
  const inMs = parseDurationMs(until);
  return inMs === undefined ? { at: until } : { inMs };
}
