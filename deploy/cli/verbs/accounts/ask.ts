import type { Command } from 'commander';
import type { ChannelKind } from '../../../../connectors/channels/channel-kind';
import type { AccountState, ResumePolicy } from '../../../../connectors/mysql/secrets/account-states';
import { reasonOf, Unavailable, UserError } from '../../../../topology/core/errors';
import { printable } from '../../../console/output';
import { audited } from '../../audited';
import { interruptible } from '../../interrupt';
import { UsageError } from '../../usage-error';
import { changingVerb, contextOf, type VerbContext } from '../../verb';
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

interface TestOptions extends ResumeOptions {
  readonly unusable?: boolean;
}

/** What came of asking for one account. */
interface Tested {
  readonly account: string;
  readonly channel: string;
  /** Null where there is nobody to ask. */
  readonly owner: string | null;
  /** Before it was asked for. */
  readonly was: AccountState;
}

/** `downspout accounts test` */
export function testCommand(): Command {
  const what =
    "ask an account's provider whose its credentials are; where it takes them, an account that was unusable goes on";
  return changingVerb('test', what, {
    example: 'downspout accounts test acme --channel mastodon',
    fails: 'an account has none, or the provider does not take them',
  })
    .argument('[account]')
    .option('--channel <name>', 'channel', 'webhook')
    .option('--unusable', 'instead of one account: all of the channel that are unusable, one after the other')
    .addOption(resumeOption())
    .action(async (account: string | undefined, options: TestOptions) => {
      const context = contextOf(options);
      if ((account === undefined) === (options.unusable !== true)) {
        throw new UsageError('Which account? Give its name, or --unusable for all of the channel that are unusable.');
      }
      const kind = channelOf(options.channel, context);
      if (account === undefined) return testUnusable(context, kind, options.resume);
      const tested = await test(context, kind, account, options.resume);
      const { owner, was, channel } = tested;
      const state = await withStates(context, (states) => states.of(account, channel));
      const suspended = await withStates(context, (states) => states.suspended(account, channel));
      context.output.data({ ...tested, suspended: suspended.count }, () => {
        if (owner === null)
          return `Nobody can be asked on ${channel}: whether its secret is right, only its receivers know.`;
        const known = `The credentials are those of ${owner}.`;
        if (was === 'disabled') return `${known} The account is disabled; \`downspout accounts enable\` ends that.`;
        return was === 'unusable' ? `${known}${resumeText(suspended, state)}` : known;
      });
    });
}

/** After an outage in which a provider refused everybody. Accounts that it does not take stay as they are. */
async function testUnusable(context: VerbContext, kind: ChannelKind, policy: ResumePolicy | undefined): Promise<void> {
  const unusable = await withStates(context, (states) => states.list(['unusable']));
  const names = unusable.flatMap(({ account, channel }) => (channel === kind.name ? [account] : []));
  const answers: (Tested & { readonly refusal: string | null })[] = [];
  await interruptible(context.output, async ({ check }) => {
    for (const account of names) {
      check();
      answers.push(await tried(context, kind, account, policy));
    }
  });
  if (answers.some(({ refusal }) => refusal !== null)) process.exitCode = 1;
  context.output.data(answers, () =>
    answers.length === 0
      ? `No account is unusable on ${kind.name}.`
      : answers
          .map(({ account, refusal }) => `${printable(account)}: ${refusal === null ? 'goes on.' : printable(refusal)}`)
          .join('\n'),
  );
}

async function tried(
  context: VerbContext,
  kind: ChannelKind,
  account: string,
  policy: ResumePolicy | undefined,
): Promise<Tested & { readonly refusal: string | null }> {
  try {
    const tested = await test(context, kind, account, policy);
    return { ...tested, refusal: tested.owner === null ? `Nobody can be asked on ${kind.name}.` : null };
  } catch (error) {
    if (!(error instanceof UserError || error instanceof Unavailable)) throw error;
    return { account, channel: kind.name, owner: null, was: 'unusable', refusal: reasonOf(error) };
  }
}

/** @throws UserError when the account has none, or the provider does not take them */
async function test(
  context: VerbContext,
  kind: ChannelKind,
  account: string,
  policy: ResumePolicy | undefined,
): Promise<Tested> {
  const channel = kind.name;
  const owner = await ownerOf(context, kind, await storedOf(context, account, channel));
  const was = await withStates(context, (states) => states.of(account, channel));
  if (owner !== undefined && was === 'unusable') {
    const change = { verb: 'accounts test', subject: subjectOf(account, channel), before: was };
    await audited(context, { ...change, after: 'usable' }, () =>
      withStates(context, (states) => states.enable(account, channel, policy, { evenDisabled: false })),
    );
  }
  return { account, channel, owner: owner ?? null, was };
}
