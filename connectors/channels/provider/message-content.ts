import { BadRecord, reasonOf } from '../../../topology/core/errors';
import type { Outcome } from '../../../topology/message';
import { type MediaItem, withMedia } from '../../../topology/payloads/media';
import { parseBy } from '../../../topology/payloads/payloads';

/** What a channel makes of a payload. */
export interface MessageContent<Prepared> {
  readonly prepared: Prepared;
  readonly media: readonly MediaItem[];
}

/** What it means for a message that its payload cannot be read. */
type Unread = Extract<Outcome, { kind: 'rejected' | 'retry' }>;

/** The content of a message, at each call. */
export type ContentOf<Prepared> = () => MessageContent<Prepared> | Unread;

/** Reads it now, once. @throws what `read` throws */
export function readNow<Prepared>(read: () => MessageContent<Prepared>): ContentOf<Prepared> {
  const content = read();
  return () => content;
}

/**
 * The media of a payload of a package.
 * @param takes whether they are fetched for it; where they are not, only what others understand too is taken for such
 * @throws BadRecord for what is none
 */
export function mediaOfPackage(payload: unknown, takes: boolean): readonly MediaItem[] {
  const parsed = parseBy<{ readonly media?: readonly MediaItem[] | null }>(withMedia, payload);
  if (parsed.ok) return parsed.payload.media ?? [];
  if (takes) throw new BadRecord(parsed.reason);
  return [];
}

/**
 * Reads it at each call, and anew: what is called after the claim of a message may end its worker, because that is counted, and may
 * change what it is given.
 */
export function readWhenCalled<Prepared>(read: () => MessageContent<Prepared>): ContentOf<Prepared> {
  return () => {
    try {
      return read();
    } catch (error) {
      return { kind: error instanceof BadRecord ? 'rejected' : 'retry', reason: reasonOf(error) };
    }
  };
}
