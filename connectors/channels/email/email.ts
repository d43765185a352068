import type { AttemptContext, Channel } from '../../../bolts/channel';
import type { Clock } from '../../../topology/core/clock';
import { DAY_MS } from '../../../topology/core/lateness';
import type { Outcome } from '../../../topology/message';
import type { ChannelOptions, WhoAmI } from '../channel-kind';
import { channelKind } from '../channel-kind';
import type { NetworkSettings } from '../http/network';
import { ProviderAccounts, readyOf } from '../provider/provider-accounts';
import { readPayload } from '../provider/read-payload';
import { emailCredentials, originOf } from './email-credentials';
import { composed, draftOf, type EmailDraft, mailboxOf } from './email-message';
import { SmtpCaller } from './smtp-caller';

/** A mail of which the last byte was sent may still be taken by a server that nobody waits for any more. */
const ACCEPTED_LATE_MS = 30_000;

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

  constructor(timeoutMs: number, options: ChannelOptions) {
    this.acceptedWithin = timeoutMs + ACCEPTED_LATE_MS;
    this.accounts = new ProviderAccounts(this.name, emailCredentials, options);
    this.caller = callerOf(timeoutMs, options);
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
    const compose = () => composed(draft, from, attempt.idempotencyKey, attempt.dueAt);
    const mail = { from: from.address, to: draft.receivers, compose };
    const outcome = await this.caller.call(account, ready, mail, attempt.mayStart);
    return this.accounts.judged(account, ready, outcome);
  }

  async close(): Promise<void> {
    this.caller.close();
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
  build: ({ timeoutMs }, options) => new EmailChannel(timeoutMs, options),
});

function callerOf(timeoutMs: number, { clock, network }: { clock: Clock; network: NetworkSettings }): SmtpCaller {
  return new SmtpCaller({ timeoutMs, clock, network });
}
