import type { FileHandle } from 'node:fs/promises';
import { reasonOf } from '../../../topology/core/errors';
import type { Outcome } from '../../../topology/message';
import { hasCredentials, hostProblem } from '../../../topology/payloads/web-url';
import type { HttpCaller, OpenAnswer } from '../http/http-caller';
import { retryAfterMs } from '../http/retry-after';
import { FileWriter, nameless } from './media-file';
import type { MediaPlace } from './media-room';
import {
  ANYTHING,
  HEAD_BYTES,
  type ImageType,
  isSaidOf,
  isVideo,
  type MediaType,
  mediaTypeOf,
  type VideoType,
} from './media-type';

/** What a provider takes of images. */
export interface MediaLimits {
  readonly types: readonly ImageType[];
  /** Of one file. */
  readonly maxBytes: number;
  /** Of all files of a message, where the provider has a limit for that. */
  readonly maxTotalBytes?: number;
}

/** What a provider takes of videos. */
interface VideoLimits {
  readonly types: readonly VideoType[];
  readonly maxBytes: number;
  /** A message may have one beside other media. Else it stands alone. */
  readonly isBesides?: true;
}

/** What a provider takes of media. */
export interface MediaTaken extends MediaLimits {
  readonly video?: VideoLimits;
  /** Files of every other type too, as large as images. */
  readonly others?: true;
}

/** A file that was got, or what it means for its message that it was not. */
export type Got =
  | { readonly kind: 'file'; readonly handle: FileHandle; readonly type: MediaType; readonly bytes: number }
  | Extract<Outcome, { kind: 'retry' | 'rejected' | 'postponed' }>
  | 'not_started';

type Refused = Exclude<Got, { kind: 'file' } | 'not_started'>;

interface Fetching {
  readonly account: string;
  readonly limits: MediaTaken;
  /** Allows the time that so many bytes of a video take. */
  readonly allow: (bytes: number) => void;
  /** So many bytes more have come. */
  readonly came: (bytes: number) => void;
  readonly place: MediaPlace;
  /** Ends the fetch. */
  readonly signal: AbortSignal;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** The server may have the file later. */
const NOT_NOW = new Set([408, 425, 429]);
const MAX_SHOWN = 200;
const OTHERS_HAVE_IT = 'other media take the room that there is for them';

/**
 * Gets an image, a video or another file from a URL that a user gave.
 *
 * 1. *Every hop of a redirect is a request of its own*, whose address is checked like the first one's when it is connected to.
 * 2. *A file is never held whole in memory*, and its copy on disk has no name, so nothing is left of it after its worker's end.
 * 3. *No more is read than the provider takes*, and nothing is decompressed.
 */
export async function fetchMedia(caller: HttpCaller, from: string, fetching: Fetching): Promise<Got> {
  const { account, signal, now, limits } = fetching;
  const seen = limits.video === undefined ? 'image/*' : 'image/*, video/*';
  const accept = limits.others === true ? '*/*' : seen;
  let url = new URL(from);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const what = shown(url);
    if (!/^https?:$/.test(url.protocol) || hasCredentials(url) || hostProblem(url) !== undefined) {
      return rejected(what, 'the server sends us to an address that is no plain http or https URL');
    }
    const { origin, hostname, pathname, search } = url;
    const request = { account, origin, hostname, method: 'GET', path: pathname + search, body: null } as const;
    const headers = ['accept', accept, 'accept-encoding', 'identity', 'user-agent', 'downspout'];
    const opened = await caller.open(request, headers, signal);
    if (opened === 'not_started') return opened;
    if (opened.kind !== 'open') return signal.aborted ? late(what) : ofOurs(what, opened);
    opened.body.on('error', ignore);
    try {
      const { status } = opened;
      if (status === 200) return await save(what, opened, fetching);
      if (!REDIRECTS.has(status)) return refusal(what, opened, now());
      const location = opened.headers['location'];
      if (typeof location !== 'string' || !URL.canParse(location, url.href)) {
        return rejected(what, `the server sends us on (HTTP ${status}) and does not say where`);
      }
      url = new URL(location, url);
    } finally {
      opened.body.destroy();
    }
  }
  return rejected(shown(new URL(from)), `the server sends us on more than ${MAX_REDIRECTS} times`);
}

/** A URL as people are shown it: what stands behind the question mark may be a key. */
function shown({ origin, pathname }: URL): string {
  return `${origin}${pathname}`.slice(0, MAX_SHOWN);
}

async function save(what: string, { headers, body }: OpenAnswer, fetching: Fetching): Promise<Got> {
  const { limits, place, signal } = fetching;
  const encoding = String(headers['content-encoding'] ?? 'identity');
  if (encoding !== 'identity') return rejected(what, `the server sends it compressed (${encoding.slice(0, 20)})`);
  const length = headers['content-length'];
  const said = typeof length === 'string' && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
  const most = Math.max(limits.maxBytes, limits.video?.maxBytes ?? 0);
  if (said !== undefined && said > most) return rejected(what, tooLarge(most));
  let reserved = said ?? limits.maxBytes;
  let isLarge = reserved > limits.maxBytes;
  if (!place.reserve(reserved, isLarge)) return noRoom(OTHERS_HAVE_IT);
  /** How many bytes there may be of what begins so. */
  const judge = (head: Buffer): number | Refused => {
    const type = countedAs(mediaTypeOf(head), limits);
    const taken = takenOf(type, limits);
    if (type === undefined || taken === undefined) return rejected(what, wrongType(type, limits));
    const { maxBytes } = taken;
    if (said !== undefined && said > maxBytes) return rejected(what, tooLarge(maxBytes));
    if (!isVideo(type)) return maxBytes;
    if (said === undefined) {
      if (!place.reserve(maxBytes - reserved, true)) return noRoom(OTHERS_HAVE_IT);
      isLarge = true;
    }
    reserved = said ?? maxBytes;
    fetching.allow(reserved);
    return maxBytes;
  };
  let handle: FileHandle;
  try {
    handle = await nameless();
  } catch (error) {
    return noRoom(reasonOf(error));
  }
  let isKept = false;
  try {
    const got = await received(body, handle, judge, fetching.came);
    if ('kind' in got) return got.kind === 'large' ? rejected(what, tooLarge(got.most)) : got;
    const type = countedAs(mediaTypeOf(got.head), limits);
    if (type === undefined || takenOf(type, limits) === undefined) return rejected(what, wrongType(type, limits));
    const contentType = String(headers['content-type'] ?? '');
    if (!isSaidOf(contentType, type)) {
      return rejected(what, `it is ${type}, and its server says ${contentType.slice(0, 100)}`);
    }
    isKept = true;
    const { bytes } = got;
    place.reserve(bytes - reserved, isLarge);
    return { kind: 'file', handle, type, bytes };
  } catch (error) {
    return signal.aborted ? late(what) : { kind: 'retry', reason: notFetched(what, reasonOf(error)) };
  } finally {
    if (!isKept) await handle.close();
  }
}

type Received = { readonly head: Buffer; readonly bytes: number } | { readonly kind: 'large'; readonly most: number };

/**
 * Writes what comes into the file.
 * @param judge is given the beginning, once, and says how many bytes there may be, or why none
 * @throws what the connection says
 */
async function received(
  body: AsyncIterable<Buffer>,
  handle: FileHandle,
  judge: (head: Buffer) => number | Refused,
  came: (bytes: number) => void,
): Promise<Received | Refused> {
  let head = Buffer.alloc(0);
  let most: number | undefined;
  let bytes = 0;
  const writer = new FileWriter(handle);
  for await (const chunk of body) {
    if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)]);
    if (most === undefined && head.length === HEAD_BYTES) {
      const judged = judge(head);
      if (typeof judged !== 'number') return judged;
      most = judged;
    }
    if (most !== undefined && bytes + chunk.length > most) return { kind: 'large', most };
    try {
      await writer.add(chunk);
    } catch (error) {
      return noRoom(reasonOf(error));
    }
    bytes += chunk.length;
    came(chunk.length);
  }
  try {
    await writer.flush();
  } catch (error) {
    return noRoom(reasonOf(error));
  }
  return { head, bytes };
}

/** What a provider takes of files of a type. @returns undefined when it takes none */
export function takenOf(type: MediaType | undefined, limits: MediaTaken): MediaLimits | VideoLimits | undefined {
  const named = [limits, limits.video].find((taken) => taken?.types.some((one) => one === type) === true);
  return named ?? (limits.others === true ? limits : undefined);
}

/** What a file counts as where files of every type are taken. */
export function countedAs(type: MediaType | undefined, { others }: MediaTaken): MediaType | undefined {
  return type ?? (others === true ? ANYTHING : undefined);
}

export function tooLarge(most: number): string {
  return `it is larger than the ${most} bytes that the provider takes`;
}

export function wrongType(type: MediaType | undefined, { types, video }: MediaTaken): string {
  const known = video === undefined ? 'no image that is known here' : 'no image or video that is known here';
  return `it is ${type ?? known}, and the provider takes ${[...types, ...(video?.types ?? [])].join(', ')}`;
}

/** What an answer without the file means. */
function refusal(what: string, { status, headers }: OpenAnswer, now: number): Got {
  const why = `its server answered HTTP ${status}`;
  if (status < 500 && !NOT_NOW.has(status)) return rejected(what, why);
  const afterMs = retryAfterMs([headers['retry-after'] ?? []].flat().join(), now);
  return { kind: 'retry', reason: notFetched(what, why), ...(afterMs === undefined ? {} : { afterMs }) };
}

/** That a host of media cannot be reached says nothing about the provider. */
function ofOurs(what: string, { kind, reason }: Exclude<Outcome, { kind: 'delivered' }>): Got {
  return { kind: kind === 'rejected' || kind === 'postponed' ? kind : 'retry', reason: notFetched(what, reason) };
}

function late(what: string): Refused {
  return { kind: 'retry', reason: notFetched(what, 'it did not come in time') };
}

function rejected(what: string, why: string): Refused {
  return { kind: 'rejected', reason: notFetched(what, why) };
}

function notFetched(what: string, why: string): string {
  return `The file ${what} could not be fetched: ${why}`;
}

export function noRoom(why: string): Extract<Outcome, { kind: 'postponed' }> {
  return { kind: 'postponed', reason: `There is no room for the message's media on this machine: ${why}` };
}

function ignore(): void {}
