import type { Command } from 'commander';
import type { Pause, PauseScope } from '../../../connectors/mysql/operators/operations';
import { UserError } from '../../../topology/core/errors';
import { formatInstant } from '../../console/units';
import { audited } from '../audited';
import { withOperations } from '../database';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../verb';
import { nameOf } from './pause';

interface ResumeOptions extends ChangeOptions {
  readonly account?: string;
}

type Ended =
  | { readonly result: 'resumed'; readonly pause: Pause }
  /** `heldUntil`: epoch milliseconds. */
  | { readonly result: 'asked_again'; readonly heldUntil: number };

/** `downspout resume`. */
export function resumeCommand(): Command {
  return changingVerb(
    'resume',
    'end a pause, or else what a provider has said of a limit: what has waited is sent at once',
    {
      example: 'downspout resume webhook --account acme',
      fails: 'nothing was paused, and no provider has said that it takes nothing',
    },
  )
    .argument('<channel>')
    .option('--account <name>', 'the pause of this account')
    .action(async (channel: string, options: ResumeOptions) => {
      const context = contextOf(options);
      const scope = { channel, account: options.account ?? null };
      const what = scope.account === null ? `The channel ${channel}` : nameOf(scope);
      const ended = await audited(context, { verb: 'resume', subject: nameOf(scope) }, async (change) => {
        const found = await end(context, scope);
        if (found === null) throw new UserError(`${what} was not paused. \`downspout status\` shows what is.`);
        change.before = found.result === 'resumed' ? found.pause : { heldUntil: found.heldUntil };
        return found;
      });
      const { result } = ended;
      context.output.data({ ...scope, result }, () =>
        result === 'resumed'
          ? `${what} is resumed.`
          : `${what} waits no more for ${formatInstant(ended.heldUntil)}, until when its provider takes nothing, as it said: it is asked again within half a minute.`,
      );
    });
}

/** A pause first: while it lasts, the provider is not asked. */
function end(context: VerbContext, scope: PauseScope): Promise<Ended | null> {
  return withOperations(context, async (operations) => {
    const pause = await operations.resume(scope);
    if (pause !== null) return { result: 'resumed', pause };
    const heldUntil = await operations.endHold(scope);
    return heldUntil === null ? null : { result: 'asked_again', heldUntil };
  });
}
