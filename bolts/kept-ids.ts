/**
 * Ids that a provider gave for what was made ready of a message and nobody can see yet: a container, a draft. By names of the
 * channel's own.
 */
export type KeptIds = Readonly<Record<string, string>>;

/** Of ids as JSON, UTF-16 units: the column takes no more. */
const MAX_KEPT_CHARACTERS = 2_000;

/** Ids as the table has them. */
export interface Kept {
  readonly ids: KeptIds;
  /** SHA-256 of the payload text for which they were made, 64 hex digits. */
  readonly contentHash: string;
}

/**
 * Ids that a channel keeps of a message between attempts. They belong to one plan number: retries and recoveries find them, and an
 * edit or a cancel discards them. A channel that keeps nothing never asks, and costs the database nothing. Both throw Unavailable
 * when the database does not answer: then nothing may be published.
 */
export interface IdKeeper {
  /** What an earlier attempt kept, or what was made ready before; no ids in them while that is under way. Of a message in doubt they say what may have been accepted, whatever its content is by now. */
  readonly read: () => Promise<KeptIds | undefined>;
}

/** The same, for an attempt or what is made ready before it, which is given only what was made for the very content that it sends. */
export interface IdKeeping extends IdKeeper {
  /**
   * Keeps these ids in place of all earlier ones. Once it resolves to true, whoever has the message next is given them, so a
   * channel asks it before the request that can become visible.
   * @returns false when another session has the message by now: the attempt ends without a request
   */
  readonly keep: (ids: KeptIds) => Promise<boolean>;
}

/** @throws RangeError when they are too long to be kept, which is a mistake of the channel's */
export function checkKept(ids: KeptIds): void {
  const characters = JSON.stringify(ids).length;
  if (characters <= MAX_KEPT_CHARACTERS) return;
  throw new RangeError(`ids of ${characters} characters are not kept, only ${MAX_KEPT_CHARACTERS}`);
}
