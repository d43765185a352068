import { Unavailable } from '../../topology/core/errors';

/**
 * Channels that are read one after another, round by round. One that cannot be read ends no other's round: its index may be
 * damaged, or its page take too long.
 *
 * Where the first two cannot be read the round ends all the same, because the database may be away, and each further try could take
 * as long as a time-out. The next round begins with others.
 */
export class InTurn<T> {
  private order: readonly T[];

  /** @param onError takes why one could not be read, unless the round ends with it */
  constructor(
    items: readonly T[],
    private readonly onError: (error: unknown) => void,
  ) {
    this.order = items;
  }

  get items(): readonly T[] {
    return this.order;
  }

  /**
   * @returns those of `items` that could be read
   * @throws Unavailable when none could
   */
  async each(items: readonly T[], read: (item: T) => Promise<void>): Promise<T[]> {
    const readable: T[] = [];
    let failed: unknown;
    for (const item of items) {
      try {
        await read(item);
        readable.push(item);
      } catch (error) {
        this.order = [...this.order.filter((one) => one !== item), item];
        if (!(error instanceof Unavailable) || (readable.length === 0 && failed !== undefined)) throw error;
        if (readable.length > 0) this.onError(error);
        else failed = error;
      }
      if (failed === undefined || readable.length === 0) continue;
      this.onError(failed);
      failed = undefined;
    }
    if (failed !== undefined) throw failed;
    return readable;
  }
}
