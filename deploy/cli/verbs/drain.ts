import type { Command } from 'commander';
import { Operations } from '../../../connectors/mysql/operators/operations';
import { systemClock } from '../../../topology/core/clock';
import { PAUSES_KNOWN_MS } from '../../../topology/core/pauses';
import { counted } from '../../console/units';
import { lagOf, queuedOf, withKafka } from '../../inspect/kafka';
import { requiredBolt, runningTopology } from '../../inspect/running-topology';
import { untilDrained } from '../../release/drain';
import { audited } from '../audited';
import { channelsFor } from '../channels';
import { withPool } from '../database';
import { type Interrupt, interruptible } from '../interrupt';
import { type ChangeOptions, changingVerb, contextOf } from '../verb';

/** `downspout drain`. */
export function drainCommand(): Command {
  return changingVerb('drain', 'pause a channel and return when nothing of it is being sent any more', {
    example: 'downspout drain webhook',
    fails: 'what is being sent did not end',
  })
    .argument('<channel>')
    .addHelpText('after', '\nThe channel stays paused until `downspout resume`. Use it before work on a receiver.')
    .action(async (channel: string, options: ChangeOptions) => {
      const context = contextOf(options);
      const { environment } = context.settings;
      const running = await withPool(context, (pool) => runningTopology(pool, environment));
      const { timeoutMs } = requiredBolt(running, channel);
      const { schemas } = channelsFor(context);
      const drain = ({ signal, check }: Interrupt) =>
        withPool(context, async (pool) => {
          await new Operations(pool).pause({ channel, account: null }, undefined, schemas);
          if (context.dryRun) return;
          await systemClock.sleep(PAUSES_KNOWN_MS, signal);
          await withKafka(environment, (admin) =>
            untilDrained({ environment, admin, pool, clock: systemClock, signal, channel, timeoutMs }),
          );
          if (signal.aborted) context.output.note(`${channel} stays paused until \`downspout resume ${channel}\`.`);
          check();
        });
      await audited(context, { verb: 'drain', subject: channel, after: 'paused' }, () =>
        interruptible(context.output, drain),
      );
      if (context.dryRun) {
        const queued = await withKafka(
          environment,
          async (admin) => queuedOf(await lagOf(environment, running.settings, admin))[channel] ?? 0,
        );
        const text = `${channel} would be paused, and what waits for its workers would be sent: ${counted(queued, 'message')} now.`;
        context.output.data({ channel, result: 'dry run', queued }, () => text);
        return;
      }
      context.output.data(
        { channel, result: 'drained' },
        () => `${channel} is paused, and nothing of it is being sent. \`downspout resume ${channel}\` ends the pause.`,
      );
    });
}
