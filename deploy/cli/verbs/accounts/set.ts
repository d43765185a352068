import type { Command } from 'commander';
import type { ChannelKind } from '../../../../connectors/channels/channel-kind';
import { fieldsOf, parseCredentials, textOf } from '../../../../connectors/channels/credentials';
import { confirm } from '../../../console/confirm';
import { printable } from '../../../console/output';
import { readFields } from '../../../console/secret-input';
import { audited } from '../../audited';
import { changingVerb, contextOf, type VerbContext } from '../../verb';
import {
  channelOf,
  demandSameOwner,
  type ResumeOptions,
  resumeOption,
  resumeText,
  storedOf,
  subjectOf,
  withAccounts,
  withStates,
} from './common';

interface SetOptions extends ResumeOptions {
  readonly replace?: boolean;
  readonly yes?: boolean;
}

const replaceOption = ['--replace', 'forget the secret before it, because somebody else knows it'] as const;
const yesOption = ['--yes', 'do not ask whether --replace is meant'] as const;

/** Where an earlier secret is kept beside a new one, forgetting it cannot be undone. @throws UserError when the answer is not yes */
async function confirmReplacing(
  account: string,
  { name, keepsEarlier }: ChannelKind,
  { replace = false, yes = false }: SetOptions,
  { dryRun }: VerbContext,
): Promise<void> {
  await confirm(
    `Forget the ${name} secret that ${printable(account)} has for good, so that receivers refuse its messages until they have the new one?`,
    yes || dryRun || !replace || !keepsEarlier,
  );
}

/** `downspout accounts set` */
export function setCommand(): Command {
  return changingVerb(
    'set',
    "set an account's credentials, read from standard input: JSON, or one secret as it is; on a terminal they are asked for",
    { example: 'printf %s "$SECRET" | downspout accounts set acme' },
  )
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .option(...replaceOption)
    .option(...yesOption)
    .addOption(resumeOption())
    .action(async (account: string, options: SetOptions) => {
      const context = contextOf(options);
      const kind = channelOf(options.channel, context);
      await confirmReplacing(account, kind, options, context);
      const text = await readCredentials(account, kind);
      await put(context, 'set', kind, { account, text, ...options });
    });
}

/** `downspout accounts rotate` */
export function rotateCommand(): Command {
  return changingVerb(
    'rotate',
    'put new credentials in the place of those that an account has, once its provider has said whose they are',
    {
      example: 'downspout accounts rotate acme --channel mastodon < credentials.json',
      fails: "the account has none, or the provider does not take the new ones or says that they are somebody else's",
    },
  )
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .option(...replaceOption)
    .option(...yesOption)
    .addOption(resumeOption())
    .action(async (account: string, options: SetOptions) => {
      const context = contextOf(options);
      const kind = channelOf(options.channel, context);
      await confirmReplacing(account, kind, options, context);
      const stored = await storedOf(context, account, kind.name);
      const text = await readCredentials(account, kind);
      await demandSameOwner(context, kind, { stored, text });
      await put(context, 'rotated', kind, { account, text, ...options });
    });
}

/** @returns the text that is kept */
async function readCredentials(account: string, kind: ChannelKind): Promise<string> {
  const { name: channel, credentials: schema } = kind;
  const given = await readFields(fieldsOf(schema), `${printable(account)} for ${channel}`);
  return textOf(schema, parseCredentials(channel, schema, given));
}

async function put(
  context: VerbContext,
  result: 'set' | 'rotated',
  { keepsEarlier, lifetimeOf }: ChannelKind,
  {
    account,
    channel,
    text,
    resume,
    replace: forget = false,
  }: SetOptions & { readonly account: string; readonly text: string },
): Promise<void> {
  const replace = forget || !keepsEarlier;
  const verb = result === 'set' ? 'accounts set' : 'accounts rotate';
  const secrets = await audited(context, { verb, subject: subjectOf(account, channel) }, async (change) => {
    const given = { replace, ...(resume === undefined ? {} : { resume }) };
    const lifetime = lifetimeOf?.(text);
    const whole = { ...given, ...(lifetime === undefined ? {} : { lifetime }) };
    const count = await withAccounts(context, (accounts) => accounts.set(account, channel, text, whole));
    change.after = { secrets: count, ...given };
    return count;
  });
  const state = await withStates(context, (states) => states.of(account, channel));
  const suspended = await withStates(context, (states) => states.suspended(account, channel));
  const both = ' Messages carry the signatures of both secrets until `downspout accounts retire`.';
  context.output.data({ account, channel, result, secrets, suspended: suspended.count, state }, () => {
    const next =
      state === 'disabled'
        ? ' The account stays disabled: a person has disabled it, and `downspout accounts enable` ends that.'
        : resumeText(suspended, state);
    return `The secret is set.${secrets === 1 ? '' : both}${next}`;
  });
}
