import type { Command } from 'commander';
import { UserError } from '../../../../topology/core/errors';
import { printable } from '../../../console/output';
import { audited } from '../../audited';
import { changingVerb, contextOf } from '../../verb';
import {
  type ChannelOptions,
  channelOf,
  type ResumeOptions,
  resumeOption,
  resumeText,
  subjectOf,
  withStates,
} from './common';

/** `downspout accounts disable` */
export function disableCommand(): Command {
  return changingVerb(
    'disable',
    'suspend the messages of an account as they become due, until it is enabled; workers know within a minute',
    { example: 'downspout accounts disable acme --channel mastodon' },
  )
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .action(async (account: string, options: ChannelOptions) => {
      const context = contextOf(options);
      const { name: channel } = channelOf(options.channel, context);
      await audited(context, { verb: 'accounts disable', subject: subjectOf(account, channel) }, () =>
        withStates(context, (states) => states.disable(account, channel)),
      );
      context.output.data(
        { account, channel, result: 'disabled' },
        () => `${printable(account)} is disabled on ${channel}: its messages are suspended as they become due.`,
      );
    });
}

/** `downspout accounts enable` */
export function enableCommand(): Command {
  return changingVerb('enable', 'use an account again that was disabled, or that its provider has refused', {
    example: 'downspout accounts enable acme --channel mastodon --resume keep',
    fails: 'the account is usable, and no refresh of its credentials has failed',
  })
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .addOption(resumeOption())
    .action(async (account: string, options: ResumeOptions) => {
      const context = contextOf(options);
      const { name: channel } = channelOf(options.channel, context);
      const { resume } = options;
      const change = {
        verb: 'accounts enable',
        subject: subjectOf(account, channel),
        after: { resume: resume ?? null },
      };
      const result = await audited(context, change, async () => {
        const enabled = await withStates(context, (states) => states.enable(account, channel, resume));
        if (enabled !== 'nothing') return enabled;
        throw new UserError(
          `Account ${JSON.stringify(account)} is usable on ${channel}. \`downspout messages resume\` sends messages that were kept.`,
        );
      });
      const state = await withStates(context, (states) => states.of(account, channel));
      const suspended = await withStates(context, (states) => states.suspended(account, channel));
      context.output.data({ account, channel, result, suspended: suspended.count, state }, () => {
        const done =
          result === 'enabled'
            ? `is enabled on ${channel}`
            : `was usable on ${channel}; the refresh of its credentials that failed is made now`;
        return `${printable(account)} ${done}.${resumeText(suspended, state)}`;
      });
    });
}
