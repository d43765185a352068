import { reasonOf } from '../../../topology/core/errors';
import { putNewest } from '../../../topology/core/newest';
import type { Outcome } from '../../../topology/message';
import type { ReceiptsOfOthers } from '../channel-kind';

/** Beyond it the posts that were found or made longest ago are forgotten: the table has them by then. */
const MAX_POSTS = 10_000;

interface Searching {
  readonly account: string;
  /** Of the message. */
  readonly id: number;
  /** Epoch milliseconds: none of the posts was made before. */
  readonly notBefore: number;
}

/** An attempt of a message, which is told by identity: one that was given back may end while the next one of its message is under way. */
export interface OwnAttempt {
  readonly account: string;
  /** Of the message. */
  readonly id: number;
}

type Sent = Outcome | 'not_started';

const BEING_SENT = {
  kind: 'postponed',
  reason: 'another message of the account is being sent, and the post may be its own',
} as const;

/**
 * Which message each post of a channel is of: a provider that tells posts apart by their text alone shows the same ones to all
 * messages with that text.
 *
 * 1. *No post is counted for two messages*: what this worker sent and found, it remembers; of others it asks the table. While another
 *    message of the account is being sent, a post may be that one's.
 */
export class PostOwners {
  /** Ids of messages by receipt. */
  private readonly owners = new Map<string, number>();
  /** By account: the posts of these may be there, and their answers are not. */
  private readonly underWay = new Map<string, Set<OwnAttempt>>();

  /** @param table undefined where there is none to ask */
  constructor(
    private readonly channel: string,
    private readonly table: ReceiptsOfOthers | undefined,
  ) {}

  /** The request that makes a message's post is written now; `sent` says how it ends. */
  begin(attempt: OwnAttempt): void {
    const { account } = attempt;
    const attempts = this.underWay.get(account) ?? new Set();
    this.underWay.set(account, attempts.add(attempt));
  }

  /** Notes whose post it is, when a message is delivered. */
  async sent(attempt: OwnAttempt, sending: Promise<Sent>): Promise<Sent> {
    const { account, id } = attempt;
    try {
      const outcome = await sending;
      const receipt = outcome !== 'not_started' && outcome.kind === 'delivered' ? outcome.receipt : undefined;
      if (receipt !== undefined) this.note(receipt, id);
      return outcome;
    } finally {
      const attempts = this.underWay.get(account);
      attempts?.delete(attempt);
      if (attempts?.size === 0) this.underWay.delete(account);
    }
  }

  /**
   * The first of these receipts that no other message has: from now on it is this one's.
   * @returns undefined when others have them all; or why that cannot be known now
   */
  async claimFirst(
    receipts: readonly string[],
    { account, id, notBefore }: Searching,
  ): Promise<string | undefined | Extract<Outcome, { kind: 'postponed' }>> {
    const others = [...(this.underWay.get(account) ?? [])].filter((other) => other.id !== id);
    if (others.length > 0 && receipts.length > 0) return BEING_SENT;
    const unknown = receipts.filter((receipt) => !this.owners.has(receipt));
    let written: ReadonlySet<string> | undefined = new Set();
    try {
      if (unknown.length > 0 && this.table !== undefined) {
        written = await this.table({ channel: this.channel, account, id, receipts: unknown, notBefore });
      }
    } catch (error) {
      return { kind: 'postponed', reason: `the receipts of other messages could not be read: ${reasonOf(error)}` };
    }
    if (written === undefined) return BEING_SENT;
    // Nobody can come between this and the claim.
    const own = receipts.find((receipt) => !written.has(receipt) && (this.owners.get(receipt) ?? id) === id);
    if (own !== undefined) this.note(own, id);
    return own;
  }

  private note(receipt: string, id: number): void {
    putNewest(this.owners, receipt, id, MAX_POSTS);
  }
}
