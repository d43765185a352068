import type { Command } from 'commander';
import { fieldsOf, parseCredentials } from '../../../../connectors/channels/credentials';
import type { OutputOptions } from '../../../console/output';
import { audited } from '../../audited';
import { changingVerb, contextOf, dataVerb } from '../../verb';
import {
  channelOf,
  ownerOf,
  type ResumeOptions,
  resumeOption,
  resumeText,
  storedOf,
  subjectOf,
  withStates,
} from './common';

interface ShowOptions extends OutputOptions {
  readonly channel: string;
}

/** `downspout accounts show` */
export function showCommand(): Command {
  return dataVerb('show', "an account's credentials, without what is secret in them", {
    example: 'downspout accounts show acme --channel mastodon',
    fails: 'the account has none, or they cannot be opened',
  })
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .action(async (account: string, options: ShowOptions) => {
      const context = contextOf(options);
      const { name: channel, credentials: schema } = channelOf(options.channel, context);
      const values = parseCredentials(channel, schema, await storedOf(context, account, channel));
      const shown = fieldsOf(schema).map(({ name, isSecret }): [string, string | null] => {
        const value = values[name];
        if (typeof value !== 'string') return [name, null];
        return [name, isSecret ? '***' : value];
      });
      const lines = shown.map(([name, value]) => `${name}: ${value ?? 'not given'}`);
      context.output.data({ account, channel, credentials: Object.fromEntries(shown) }, () => lines.join('\n'));
    });
}

/** `downspout accounts test` */
export function testCommand(): Command {
  const what =
    "ask an account's provider whose its credentials are; where it takes them, an account that was unusable goes on";
  return changingVerb('test', what, {
    example: 'downspout accounts test acme --channel mastodon',
    fails: 'the account has none, or the provider does not take them',
  })
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .addOption(resumeOption().default('send'))
    .action(async (account: string, options: ResumeOptions) => {
      const context = contextOf(options);
      const kind = channelOf(options.channel, context);
      const channel = kind.name;
      const owner = await ownerOf(context, kind, await storedOf(context, account, channel));
      const was = await withStates(context, (states) => states.of(account, channel));
      const isMended = owner !== undefined && was === 'unusable';
      if (isMended) {
        const change = { verb: 'accounts test', subject: subjectOf(account, channel), before: was };
        await audited(context, { ...change, after: 'usable' }, () =>
          withStates(context, (states) => states.enable(account, channel, options.resume, { evenDisabled: false })),
        );
      }
      const suspended = await withStates(context, (states) => states.suspended(account, channel));
      context.output.data({ account, channel, owner: owner ?? null, was, suspended: suspended.count }, () => {
        if (owner === undefined)
          return `Nobody can be asked on ${channel}: whether its secret is right, only its receivers know.`;
        const known = `The credentials are those of ${owner}.`;
        if (was === 'disabled') return `${known} The account is disabled; \`downspout accounts enable\` ends that.`;
        return isMended ? `${known}${resumeText(suspended, options.resume)}` : known;
      });
    });
}
