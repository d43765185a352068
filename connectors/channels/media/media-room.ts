import type { Clock } from '../../../topology/core/clock';

interface RoomSettings {
  /** Messages whose media are in work at once. */
  readonly places: number;
  /** Of them of one account. */
  readonly perAccount: number;
  /** That their files may have on this machine's disk. */
  readonly bytes: number;
  /** How long a message waits for a place, milliseconds: it keeps a slot of the bolt's meanwhile. */
  readonly waitMs: number;
}

interface AccountRoom {
  /** Messages that have a place or wait for one. */
  messages: number;
  taken: number;
  bytes: number;
  /** Of these, those of videos. */
  largeBytes: number;
  readonly waiting: ((place: MediaPlace) => void)[];
}

/** Of the bytes, what is large may have so much together: two videos, for which a quarter of an hour is allowed, could leave nothing to images. */
const LARGE_PART = 1 / 2;
/** Accounts that are known to be slow; those of which that is longest ago are forgotten. */
const MAX_SLOW = 10_000;

/** How a message left: `failed` says nothing of how fast its media come. */
export type Left = 'in_time' | 'slow' | 'failed';

/** What one message has of the room. */
export interface MediaPlace {
  /**
   * @param isLarge more than any image has
   * @returns false when there is no room for so many bytes more. Negative gives back.
   */
  readonly reserve: (bytes: number, isLarge?: boolean) => boolean;
  /** Called once. */
  readonly leave: (how: Left) => void;
}

/**
 * Places and disk space for the media of messages.
 *
 * 1. *An account takes no more places, and no more bytes, than are free*, so there is always some left for the others.
 * 2. *Accounts whose media did not come in time share a quarter of the places*, one each, until some come in time.
 * 3. *A place that becomes free goes to the waiting account that has the fewest*, in turn where several have as few.
 * 4. *Videos leave half of the bytes to images*, however many accounts have some, and those of one account leave as much of that half as they
 *    have.
 */
export class MediaRoom {
  private readonly accounts = new Map<string, AccountRoom>();
  private readonly slow = new Set<string>();
  private taken = 0;
  /** By accounts that are slow. */
  private takenBySlow = 0;
  private bytes = 0;
  private largeBytes = 0;

  constructor(
    private readonly settings: RoomSettings,
    private readonly clock: Pick<Clock, 'after'>,
  ) {}

  /** Bytes that are reserved now. */
  get reserved(): number {
    return this.bytes;
  }

  /** @returns undefined when there is none for the account in time */
  async enter(account: string): Promise<MediaPlace | undefined> {
    const own = this.accounts.get(account) ?? { messages: 0, taken: 0, bytes: 0, largeBytes: 0, waiting: [] };
    this.accounts.set(account, own);
    own.messages++;
    const place = this.hasPlace(account, own) ? this.place(account, own) : await this.turn(own);
    if (place === undefined) this.forget(account, own);
    return place;
  }

  private hasPlace(account: string, { taken }: AccountRoom): boolean {
    const { places, perAccount } = this.settings;
    const free = places - this.taken;
    if (this.slow.has(account)) return taken === 0 && free > 0 && this.takenBySlow < Math.ceil(places / 4);
    return taken < Math.min(perAccount, free);
  }

  private place(account: string, own: AccountRoom): MediaPlace {
    const isOfSlow = this.slow.has(account);
    let reserved = 0;
    let large = 0;
    this.taken++;
    own.taken++;
    if (isOfSlow) this.takenBySlow++;
    const add = (bytes: number, largeBytes: number) => {
      reserved += bytes;
      own.bytes += bytes;
      this.bytes += bytes;
      large += largeBytes;
      own.largeBytes += largeBytes;
      this.largeBytes += largeBytes;
    };
    return {
      reserve: (bytes, isLarge = false) => {
        const { bytes: all } = this.settings;
        if (bytes > 0 && own.bytes + bytes > all - this.bytes) return false;
        const freeOfLarge = all * LARGE_PART - this.largeBytes;
        if (bytes > 0 && isLarge && own.largeBytes + bytes > freeOfLarge) return false;
        add(bytes, isLarge ? bytes : 0);
        return true;
      },
      leave: (how) => {
        add(-reserved, -large);
        this.taken--;
        own.taken--;
        if (isOfSlow) this.takenBySlow--;
        if (how !== 'failed') this.slow.delete(account);
        if (how === 'slow') this.slow.add(account);
        if (this.slow.size > MAX_SLOW) this.slow.delete(this.slow.keys().next().value as string);
        this.forget(account, own);
        this.handOut();
      },
    };
  }

  private handOut(): void {
    for (;;) {
      let next: readonly [string, AccountRoom] | undefined;
      for (const [account, own] of this.accounts) {
        if (own.waiting.length === 0 || !this.hasPlace(account, own)) continue;
        if (next === undefined || own.taken < next[1].taken) next = [account, own];
      }
      if (next === undefined) return;
      const [account, own] = next;
      // Behind those that have as few.
      this.accounts.delete(account);
      this.accounts.set(account, own);
      own.waiting.shift()?.(this.place(account, own));
    }
  }

  private turn({ waiting }: AccountRoom): Promise<MediaPlace | undefined> {
    return new Promise((resolve) => {
      const end = (place: MediaPlace) => {
        timer.cancel();
        resolve(place);
      };
      const timer = this.clock.after(this.settings.waitMs, () => {
        waiting.splice(waiting.indexOf(end), 1);
        resolve(undefined);
      });
      waiting.push(end);
    });
  }

  private forget(account: string, own: AccountRoom): void {
    if (--own.messages === 0) this.accounts.delete(account);
  }
}
