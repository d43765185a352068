import type { Command } from 'commander';
import { fieldsOf, parseKept } from '../../../../connectors/channels/credentials';
import type { OutputOptions } from '../../../console/output';
import { contextOf, dataVerb } from '../../verb';
import { channelOf, storedOf, withLifetimes } from './common';
import { endOf, refreshOf } from './expiring';

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
      const values = parseKept(channel, schema, await storedOf(context, account, channel));
      const shown = fieldsOf(schema).map(({ name, isSecret }): [string, string | null] => {
        const value = values[name];
        if (typeof value !== 'string') return [name, null];
        return [name, isSecret ? '***' : value];
      });
      const lifetime = await withLifetimes(context, (of) => of.of({ account, channel }));
      const lines = shown.map(([name, value]) => `${name}: ${value ?? 'not given'}`);
      const { expiresAt = null, refreshAt = null } = lifetime ?? {};
      const data = { account, channel, credentials: Object.fromEntries(shown), expiresAt, refreshAt };
      context.output.data(data, () =>
        lifetime === undefined
          ? lines.join('\n')
          : [...lines, `ends: ${endOf(lifetime)}`, `refreshed: ${refreshOf(lifetime)}`].join('\n'),
      );
    });
}
