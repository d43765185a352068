import type { Command } from 'commander';
import { fieldsOf, parseCredentials } from '../../../../connectors/channels/credentials';
import type { OutputOptions } from '../../../console/output';
import { contextOf, dataVerb } from '../../verb';
import { channelOf, ownerOf, storedOf } from './common';

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
  return dataVerb('test', "ask an account's provider whose its credentials are; nothing is sent", {
    example: 'downspout accounts test acme --channel mastodon',
    fails: 'the account has none, or the provider does not take them',
  })
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .action(async (account: string, options: ShowOptions) => {
      const context = contextOf(options);
      const kind = channelOf(options.channel, context);
      const owner = await ownerOf(context, kind, await storedOf(context, account, kind.name));
      context.output.data({ account, channel: kind.name, owner: owner ?? null }, () =>
        owner === undefined
          ? `Nobody can be asked on ${kind.name}: whether its secret is right, only its receivers know.`
          : `The credentials are those of ${owner}.`,
      );
    });
}
