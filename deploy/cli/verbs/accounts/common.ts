import type { ChannelKind } from '../../../../connectors/channels/channel-kind';
import { channelKinds, kindOf } from '../../../../connectors/channels/channel-kinds';
import { SecretKey } from '../../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../../connectors/mysql/secrets/secret-store';
import { systemClock } from '../../../../topology/core/clock';
import { UserError } from '../../../../topology/core/errors';
import { networkOf } from '../../../worker/network-settings';
import { withPool } from '../../database';
import type { ChangeOptions, VerbContext } from '../../verb';

export interface ChannelOptions extends ChangeOptions {
  readonly channel: string;
}

/** How long a provider may take to say whose credentials are. */
const ASK_TIMEOUT_MS = 15_000;

/** @throws UserError naming the channels that there are */
export function channelOf(name: string): ChannelKind {
  const kind = kindOf(name);
  if (kind !== undefined) return kind;
  const known = Object.keys(channelKinds).join(', ');
  throw new UserError(`There is no channel ${JSON.stringify(name)}; there are ${known}.`);
}

/** What an account's credentials are called in the audit. */
export function subjectOf(account: string, channel: string): string {
  return `secret of ${account} on ${channel}`;
}

export function withAccounts<T>(context: VerbContext, work: (accounts: SecretStore) => Promise<T>): Promise<T> {
  const key = SecretKey.from(context.settings.environment);
  return withPool(context, (pool) => work(new SecretStore(pool, key)));
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
  const network = networkOf(context.settings.environment);
  const options = { timeoutMs: ASK_TIMEOUT_MS, perOrigin: 1, clock: systemClock, network };
  const answer = await kind.whoAmI?.(text, options);
  if (answer?.kind === 'no') throw new UserError(`${kind.name} does not take these credentials: ${answer.reason}`);
  return answer?.name;
}
