/** After so many milliseconds nobody relies on what was read of pauses: whoever pauses may count on it. */
export const PAUSES_KNOWN_MS = 1_500;

/** What operators have paused, as last read from the database. */
export interface Pauses {
  /** False when that was asked for {@link PAUSES_KNOWN_MS} ago or longer: then nothing is emitted. */
  known(): boolean;
  /** True when everything, the channel, or this account on it is paused. */
  paused(channel: string, account: string): boolean;
  /**
   * True when somebody who has paused the channel, or this account on it, waits until nothing of it is being sent: a person, or a command
   * that adds partitions.
   */
  awaited(channel: string, account: string): boolean;
  /** True when the whole channel is paused, or everything is. */
  channelPaused(channel: string): boolean;
}
