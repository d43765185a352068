import type { Stream } from '../topology/core/stream';
import type { Due } from '../topology/streams';
import type { AckReader } from './emit/ack-reader';
import type { Emission } from './emit/emission';
import type { AccountMemory } from './memory/accounts';
import type { Entries } from './memory/entries';

/** A channel that the topology has a sender for. */
export interface DueChannel {
  readonly name: string;
  readonly stream: Stream<Due>;
  /** Rows of a dead session wake this many milliseconds later at the earliest. */
  readonly recoverDelay: number;
}

/** All that a spout task keeps for one channel. */
export interface ChannelMemory extends DueChannel {
  readonly entries: Entries;
  readonly emission: Emission;
  readonly acking: AckReader;
  readonly isPaused: (account: AccountMemory) => boolean;
}
