import type { AttemptContext, Channel } from '../../../bolts/channel';
import type { Clock } from '../../../topology/core/clock';
import { DAY_MS } from '../../../topology/core/lateness';
import type { Outcome } from '../../../topology/message';
import type { BoltSettings } from '../../../topology/settings/topology-settings';
import type { ChannelOptions, WhoAmI } from '../channel-kind';
import { channelKind } from '../channel-kind';
import type { NetworkSettings } from '../http/network';
import { Media } from '../media/media';
import type { MediaFile } from '../media/media-file';
import { ProviderAccounts, readyOf } from '../provider/provider-accounts';
import { readPayload } from '../provider/read-payload';
import { emailCredentials, originOf } from './email-credentials';
import { composed, composedWith, draftOf, type EmailDraft, mailboxOf, sizeWith } from './email-message';
import { SmtpCaller } from './smtp-caller';

/** A mail of which the last byte was sent may still be taken by a server that nobody waits for any more. */
const ACCEPTED_LATE_MS = 30_000;

/** Of the attachments of a mail, before they are encoded: with that the mail is as large as many servers take. */
const MAX_ATTACHED_BYTES = 18 * 1024 ** 2;
const ATTACHED = {
  types: [],
  maxBytes: MAX_ATTACHED_BYTES,
  maxTotalBytes: MAX_ATTACHED_BYTES,
  others: true,
  video: { types: [], maxBytes: MAX_ATTACHED_BYTES, isBesides: true },
} as const;

interface Message {
  readonly account: string;
  readonly draft: EmailDraft;
}

/** Mails by SMTP. What the answers mean is in docs/channels.md. */
class EmailChannel implements Channel<Message> {
  readonly name = 'email';
  readonly class = 'blind';
  readonly acceptedWithin: number;
  private readonly accounts: ProviderAccounts<typeof emailCredentials>;
  private readonly caller: SmtpCaller;
  private readonly media: Media;

  constructor({ timeoutMs, concurrency }: BoltSettings, options: ChannelOptions) {
    this.acceptedWithin = timeoutMs + ACCEPTED_LATE_MS;
    this.accounts = new ProviderAccounts(this.name, emailCredentials, options);
    this.caller = callerOf(timeoutMs, options);
    const { clock, network, mediaFolder: folder } = options;
    this.media = new Media({ clock, network, folder, limits: ATTACHED, timeoutMs, concurrency });
  }

  warm(accounts: readonly string[]): Promise<void> {
    return this.accounts.load(accounts);
  }

  prepare(account: string, text: string): Message {
    return { account, draft: draftOf(readPayload(this.name, text)) };
  }

  /** Until the account's credentials are known, a place of its own. */
  originOf({ account }: Message): string {
    const credentials = this.accounts.known(account);
    return credentials === undefined ? `${this.name}:${account}` : originOf(credentials);
  }

  async send({ account, draft }: Message, attempt: AttemptContext): Promise<Outcome | 'not_started'> {
    const ready = await this.accounts.readyOf(account);
    if ('kind' in ready) return ready;
    const from = mailboxOf(ready.credentials.from);
    const { idempotencyKey: key, dueAt, mayStart, now } = attempt;
    const envelope = { from: from.address, to: draft.receivers };
    const { media = [] } = draft.payload;
    const compose = async function* () {
      yield await composed(draft, from, key, dueAt);
    };
    const send = (files: readonly MediaFile[]) => {
      const attachedBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
      const mail = { ...envelope, attachedBytes, compose: () => composedWith(files, draft, from, key, dueAt) };
      return this.caller.call(account, ready, { ...mail, size: sizeWith(files, draft) }, mayStart);
    };
    const sent =
      media.length === 0
        ? this.caller.call(account, ready, { ...envelope, attachedBytes: 0, compose }, mayStart)
        : this.media.with(account, media, now, send);
    return this.accounts.judged(account, ready, await sent);
  }

  async close(): Promise<void> {
    this.caller.close();
    await this.media.close();
  }
}

export const email = channelKind({
  name: 'email',
  class: 'blind',
  sendWithinMs: DAY_MS,
  credentials: emailCredentials,
  keepsEarlier: false,
  async whoAmI(text, { timeoutMs, clock, network }): Promise<WhoAmI> {
    const caller = callerOf(timeoutMs, { clock, network });
    try {
      const ready = readyOf('email', emailCredentials, text);
      const ended = await caller.call('', ready, undefined, () => true);
      if (ended === 'not_started') return { kind: 'no', reason: 'interrupted' };
      const { from, user, host } = ready.credentials;
      const { address } = mailboxOf(from);
      // Who the user is, and where, is a part of whose the account is.
      const name = user === undefined ? `${address} at ${host}` : `${address} as ${user} at ${host}`;
      return ended.kind === 'delivered' ? { kind: 'ok', name } : { kind: 'no', reason: ended.reason };
    } finally {
      caller.close();
    }
  },
  build: (settings, options) => new EmailChannel(settings, options),
});

function callerOf(timeoutMs: number, { clock, network }: { clock: Clock; network: NetworkSettings }): SmtpCaller {
  return new SmtpCaller({ timeoutMs, clock, network });
}
