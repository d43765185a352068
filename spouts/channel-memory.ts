import type { Stream } from '../topology/core/stream';
import type { Due } from '../topology/streams';
import type { AckReader } from './emit/ack-reader';
import type { Emission } from './emit/emission';
import type { AccountMemory } from './memory/accounts';
import type { Entries } from './memory/entries';

/** A channel for which the topology has a bolt. */
export interface DueChannel {
  readonly name: string;
  readonly stream: Stream<Due>;
  /** Rows of a dead session wake at the earliest so long after they were recovered. */
  readonly recoverDelayMs: number;
  /** Of an account that is at a limit soon, there is no use in more than it may begin at once. The spout's own bound unless given. */
  readonly maxPendingPerAccount?: number;
}

/** Everything that a spout task keeps for one channel. */
export interface ChannelMemory extends DueChannel {
  readonly entries: Entries;
  readonly emission: Emission;
  readonly ackReader: AckReader;
  readonly isPaused: (account: AccountMemory) => boolean;
}
