import type { FileHandle } from 'node:fs/promises';
import { reasonOf } from '../../../topology/core/errors';
import type { Outcome } from '../../../topology/message';
import { hasCredentials, hostProblem } from '../../../topology/payloads/web-url';
import type { HttpCaller, OpenAnswer } from '../http/http-caller';
import { retryAfterMs } from '../http/retry-after';
import { type ImageType, isSaidOf } from './image-type';
import { nameless, typeIn, writeAll } from './media-file';
import type { MediaPlace } from './media-room';

/** What a provider takes of media. */
export interface MediaLimits {
  readonly types: readonly ImageType[];
  /** Of one file. */
  readonly maxBytes: number;
  /** Of all files of a message, where the provider has a limit for that. */
  readonly maxTotalBytes?: number;
}

/** A file that was got, or what it means for its message that it was not. */
export type Got =
  | { readonly kind: 'file'; readonly handle: FileHandle; readonly type: ImageType; readonly bytes: number }
  | Extract<Outcome, { kind: 'retry' | 'rejected' | 'postponed' }>
  | 'not_started';

interface Fetching {
  readonly account: string;
  readonly limits: MediaLimits;
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

/**
 * Gets an image from a URL that a user gave.
 *
 * 1. *Every hop of a redirect is a request of its own*, whose address is checked like the first one's when it is connected to.
 * 2. *A file is never held whole in memory*, and its copy on disk has no name, so nothing is left of it after its worker's end.
 * 3. *No more is read than the provider takes*, and nothing is decompressed.
 */
export async function fetchImage(caller: HttpCaller, from: string, fetching: Fetching): Promise<Got> {
  const { account, signal, now } = fetching;
  let url = new URL(from);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const what = shown(url);
    if (!/^https?:$/.test(url.protocol) || hasCredentials(url) || hostProblem(url) !== undefined) {
      return rejected(what, 'the server sends us to an address that is no plain http or https URL');
    }
    const { origin, hostname, pathname, search } = url;
    const request = { account, origin, hostname, method: 'GET', path: pathname + search, body: null } as const;
    const headers = ['accept', 'image/*', 'accept-encoding', 'identity', 'user-agent', 'downspout'];
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

async function save(what: string, { headers, body }: OpenAnswer, { limits, place, signal }: Fetching): Promise<Got> {
  const encoding = String(headers['content-encoding'] ?? 'identity');
  if (encoding !== 'identity') return rejected(what, `the server sends it compressed (${encoding.slice(0, 20)})`);
  const length = headers['content-length'];
  const expected = typeof length === 'string' && /^\d{1,15}$/.test(length) ? Number(length) : limits.maxBytes;
  const tooLarge = `it is larger than the ${limits.maxBytes} bytes that the provider takes`;
  if (expected > limits.maxBytes) return rejected(what, tooLarge);
  if (!place.reserve(expected)) return noRoom('other images take the room that there is for them');
  let handle: FileHandle;
  try {
    handle = await nameless();
  } catch (error) {
    return noRoom(reasonOf(error));
  }
  let isKept = false;
  try {
    const bytes = await received(body, handle, limits.maxBytes);
    if (typeof bytes !== 'number') return bytes.kind === 'disk' ? noRoom(bytes.reason) : rejected(what, tooLarge);
    const type = await typeIn(handle);
    if (type === undefined || !limits.types.includes(type)) return rejected(what, wrongType(type, limits));
    const said = String(headers['content-type'] ?? '');
    if (!isSaidOf(said, type)) return rejected(what, `it is ${type}, and its server says ${said.slice(0, 100)}`);
    isKept = true;
    place.reserve(bytes - expected);
    return { kind: 'file', handle, type, bytes };
  } catch (error) {
    return signal.aborted ? late(what) : { kind: 'retry', reason: notFetched(what, reasonOf(error)) };
  } finally {
    if (!isKept) await handle.close();
  }
}

/** @returns how many bytes were written. @throws what the connection says */
async function received(
  body: AsyncIterable<Buffer>,
  handle: FileHandle,
  most: number,
): Promise<number | { readonly kind: 'large' } | { readonly kind: 'disk'; readonly reason: string }> {
  let bytes = 0;
  for await (const chunk of body) {
    if (bytes + chunk.length > most) return { kind: 'large' };
    try {
      await writeAll(handle, chunk, bytes);
    } catch (error) {
      return { kind: 'disk', reason: reasonOf(error) };
    }
    bytes += chunk.length;
  }
  return bytes;
}

export function wrongType(type: ImageType | undefined, { types }: MediaLimits): string {
  return `it is ${type ?? 'no image that is known here'}, and the provider takes ${types.join(', ')}`;
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

function late(what: string): Got {
  return { kind: 'retry', reason: notFetched(what, 'it did not come in time') };
}

function rejected(what: string, why: string): Got {
  return { kind: 'rejected', reason: notFetched(what, why) };
}

function notFetched(what: string, why: string): string {
  return `The image ${what} could not be fetched: ${why}`;
}

export function noRoom(why: string): Extract<Outcome, { kind: 'postponed' }> {
  return { kind: 'postponed', reason: `There is no room for the message's images on this machine: ${why}` };
}

function ignore(): void {}
