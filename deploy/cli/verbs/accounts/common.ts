import { Option } from 'commander';
import type { ChannelKind, WhoAmI } from '../../../../connectors/channels/channel-kind';
import { kindOf } from '../../../../connectors/channels/channel-kinds';
import {
  type AccountState,
  AccountStates,
  type ResumePolicy,
  resumePolicies,
  type SuspendedCount,
} from '../../../../connectors/mysql/secrets/account-states';
import { Lifetimes } from '../../../../connectors/mysql/secrets/lifetimes';
import { SecretKey } from '../../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../../connectors/mysql/secrets/secret-store';
import { systemClock } from '../../../../topology/core/clock';
import { UserError } from '../../../../topology/core/errors';
import { formatCount } from '../../../console/units';
import { networkOf } from '../../../worker/network-settings';
import { channelsFor } from '../../channels';
import { withPool } from '../../database';
import type { ChangeOptions, VerbContext } from '../../verb';

export interface ChannelOptions extends ChangeOptions {
  readonly channel: string;
}

/** An option of verbs after which an account can be used again. */
export interface ResumeOptions extends ChannelOptions {
  /** What was suspended goes out unless it is given, and what a person has kept back stays. */
  readonly resume?: ResumePolicy;
}

export const resumeOption = (): Option =>
  new Option(
    '--resume <policy>',
    'what becomes of its suspended messages: send them, the earliest due first, or keep them suspended; without it those are sent that nobody has kept back',
  ).choices(resumePolicies);

/** How long a provider may take to say whose credentials are. */
const ASK_TIMEOUT_MS = 15_000;

/** @throws UserError naming the channels that there are */
export function channelOf(name: string, context: VerbContext): ChannelKind {
  const { kinds } = channelsFor(context);
  const kind = kindOf(name, kinds);
  if (kind !== undefined) return kind;
  const known = Object.keys(kinds).join(', ');
  throw new UserError(
    `There is no channel ${JSON.stringify(name)}; there are ${known}. A channel of a package is named under \`channels\` in topology.yaml.`,
  );
}

/** What an account's credentials are called in the audit. */
export function subjectOf(account: string, channel: string): string {
  return `secret of ${account} on ${channel}`;
}

export function withAccounts<T>(context: VerbContext, work: (accounts: SecretStore) => Promise<T>): Promise<T> {
  const key = SecretKey.from(context.settings.environment);
  return withPool(context, (pool) => work(new SecretStore(pool, key)));
}

export function withStates<T>(context: VerbContext, work: (states: AccountStates) => Promise<T>): Promise<T> {
  return withPool(context, (pool) => work(new AccountStates(pool)));
}

export function withLifetimes<T>(context: VerbContext, work: (lifetimes: Lifetimes) => Promise<T>): Promise<T> {
  return withPool(context, (pool) => work(new Lifetimes(pool)));
}

/** What becomes of the suspended messages of an account that can be used, as sentences; empty when it has none. */
export function resumeText({ count, kept, exact }: SuspendedCount, state: AccountState): string {
  const sent = state === 'resuming' ? count - kept : 0;
  const messages = (some: number) =>
    `${exact ? '' : 'More than '}${formatCount(some)} suspended ${some === 1 ? 'message' : 'messages'}`;
  const stay = count - sent;
  return (
    (sent === 0 ? '' : ` ${messages(sent)} of the account will go out, the earliest due first.`) +
    (stay === 0 ? '' : ` ${messages(stay)} of the account stay suspended; \`downspout messages resume\` sends them.`)
  );
}

/**
 * Credentials as the database has them, the newest.
 * @throws UserError when the account has none; Unavailable when they cannot be opened
 */
export async function storedOf(context: VerbContext, account: string, channel: string): Promise<string> {
  const found = await withAccounts(context, (accounts) => accounts.secretsOf(channel, [account]));
  const secrets = found.get(account);
  if (secrets instanceof Error) throw secrets;
  const [newest] = secrets ?? [];
  if (newest !== undefined) return newest;
  throw new UserError(
    `Account ${JSON.stringify(account)} has no credentials for ${channel}. \`downspout accounts list\` shows which have.`,
  );
}

/**
 * Asks the provider whose the credentials are.
 * @returns the name; undefined where there is nobody to ask
 * @throws UserError saying why the provider does not take them
 */
export async function ownerOf(context: VerbContext, kind: ChannelKind, text: string): Promise<string | undefined> {
  const answer = await answerOf(context, kind, text);
  if (answer?.kind === 'no') throw new UserError(`${kind.name} does not take these credentials: ${answer.reason}`);
  return answer?.name;
}

/**
 * New credentials must be of the owner of those before, where the provider still takes these: messages in doubt are looked for among
 * the owner's.
 * @throws UserError naming both owners, or saying why the provider does not take the new ones
 */
export async function demandSameOwner(
  context: VerbContext,
  kind: ChannelKind,
  { stored, text }: { readonly stored: string; readonly text: string },
): Promise<void> {
  const owner = await ownerOf(context, kind, text);
  const before = await answerOf(context, kind, stored);
  if (before?.kind !== 'ok' || before.name === owner) return;
  throw new UserError(
    `These credentials are of ${owner}, those of the account of ${before.name}: its messages in doubt would be looked for in the wrong place. \`downspout accounts set\` sets them all the same.`,
  );
}

function answerOf(context: VerbContext, kind: ChannelKind, text: string): Promise<WhoAmI> | undefined {
  const network = networkOf(context.settings.environment);
  return kind.whoAmI?.(text, { timeoutMs: ASK_TIMEOUT_MS, perOrigin: 1, clock: systemClock, network });
}
