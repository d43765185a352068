import type { IdKeeping, KeptIds } from '../../../bolts/kept-ids';

/** What a bolt's table keeps of one message, in memory. */
export class MemoryKeeping implements IdKeeping {
  ids: KeptIds | undefined;
  /** Another session has the message. */
  isLost = false;
  /** Runs when ids are there, before the channel has the answer. */
  onKept: (ids: KeptIds) => void = () => undefined;

  readonly read = async (): Promise<KeptIds | undefined> => this.ids;

  readonly keep = async (ids: KeptIds): Promise<boolean> => {
    if (this.isLost) return false;
    this.ids = ids;
    this.onKept(ids);
    return true;
  };
}
