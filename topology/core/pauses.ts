/** What operators have paused, as last read from the database (at most a second or two old). */
export interface Pauses {
  /** True when everything, the channel, or this account on it is paused. */
  paused(channel: string, account: string): boolean;
  /** True when the whole channel is paused, or everything is. */
  channelPaused(channel: string): boolean;
}
