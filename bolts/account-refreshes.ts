/** Credentials that are to be refreshed. No other worker refreshes them while the lease holds. */
export interface ClaimedRefresh {
  readonly account: string;
  /** As they are kept. */
  readonly credentials: string;
  /** When a refresh of them began whose answer nobody has written, epoch milliseconds: the provider may have made others then. */
  readonly lostAt: number | null;
  /** When they end, epoch milliseconds; null when that is not known. */
  readonly expiresAt: number | null;
  /** Somebody waits, because the provider takes the credentials no more. */
  readonly isAsked: boolean;
  /** How often in a row it was put off. */
  readonly failures: number;
  /** How often since the last refresh their provider has refused to refresh them. */
  readonly refusals: number;
}

/** When credentials end, and when they are to be refreshed, as far as they say. Epoch milliseconds. */
export interface Lifetime {
  readonly expiresAt: number | null;
  /** Null where they are refreshed only when the provider does not take them any more, or never. */
  readonly refreshAt: number | null;
}

/** New credentials, as they are kept. */
export interface RefreshedCredentials extends Lifetime {
  readonly kind: 'refreshed';
  readonly credentials: string;
}

/** What a refresh came to. */
export type RefreshResult =
  | RefreshedCredentials
  /** Nothing was asked: the claim is given back as it was. */
  | { readonly kind: 'unbegun' }
  /** Not now. `isLost`: the provider may have made new ones all the same. `isRefusal`: it has refused, which is not believed yet. */
  | {
      readonly kind: 'later';
      readonly reason: string;
      readonly delayMs: number;
      readonly isLost: boolean;
      readonly isRefusal?: boolean;
    }
  /** Never again: the account is unusable from now on. */
  | { readonly kind: 'refused'; readonly reason: string };

/** What became of asking for a refresh. */
export type AskedRefresh =
  /** It is made as soon as a worker can; credentials of another generation tell that it was. */
  | { readonly kind: 'asked' }
  /** The account has other credentials than those that were refused. */
  | { readonly kind: 'other' }
  /** There is no use: it was refused for good, for this reason, or has just been made and did not help. */
  | { readonly kind: 'useless'; readonly reason: string | null };

/**
 * Accounts whose credentials end, in the database.
 *
 * 1. *One refresher at a time*: a claim is a lease, which is there before anything is asked.
 * 2. *Only the credentials that were refreshed are replaced*: those that a person has set meanwhile stay, whatever the answer was.
 * 3. *A refresh that began is not forgotten*: whoever claims the account next is told that an answer may be lost.
 */
export interface AccountRefreshes {
  /**
   * Claims accounts whose refresh is due: those that somebody waits for, then the earliest. Those that a person has disabled are left,
   * those whose credentials somebody holds, and those whose credentials this worker cannot open; others are claimed in their place.
   * @param takesOver also refreshes that another session has begun, and not given back, when its lease has ended
   * @throws Unavailable; UserError when this worker may not write credentials
   */
  claim(
    channel: string,
    session: string,
    limit: number,
    leaseMs: number,
    takesOver: boolean,
  ): Promise<readonly ClaimedRefresh[]>;
  /**
   * Writes what a claimed refresh came to, in one transaction. New credentials begin a new generation. They are written also when
   * the lease has ended; everything else then is not. Of one that was refused while nobody waited, and for which somebody has asked
   * since, the delay is as `ask` says.
   * @returns false when it came to nothing, because the account has other credentials by now, or somebody else's lease
   * @throws Unavailable; once more is harmless
   */
  settle(channel: string, session: string, claimed: ClaimedRefresh, result: RefreshResult): Promise<boolean>;
  /**
   * Asks for a refresh, because the provider does not take the credentials of this generation. A refresh that was put off is not
   * made sooner, unless it was put off for as long as the credentials serve, after refusals that are believed when they do not.
   * @throws Unavailable
   */
  ask(channel: string, account: string, generation: number): Promise<AskedRefresh>;
}
