import type { Command } from 'commander';
import { fieldsOf, parseCredentials } from '../../../../connectors/channels/credentials';
import type { OutputOptions } from '../../../console/output';
import { contextOf, dataVerb } from '../../verb';
import { channelOf, storedOf } from './common';

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
