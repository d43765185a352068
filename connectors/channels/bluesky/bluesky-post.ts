import { createHash } from 'node:crypto';
import { linkOf } from '../../../topology/payloads/link-in-text';
import type { Payload } from '../../../topology/payloads/payloads';

export const COLLECTION = 'app.bsky.feed.post';

/** A part of a text, in bytes of UTF-8. */
interface Part {
  readonly byteStart: number;
  readonly byteEnd: number;
}

interface Facet {
  readonly index: Part;
  readonly features: readonly ({ readonly $type: string } & Readonly<Record<string, string>>)[];
}

/** Somebody who is mentioned, before it is known who that is. */
interface Mention {
  readonly handle: string;
  readonly index: Part;
}

/** A post before it is known whom it mentions and what it answers. */
export interface BlueskyDraft {
  readonly payload: Payload<'bluesky'>;
  readonly facets: readonly Facet[];
  readonly mentions: readonly Mention[];
}

/** A file as the account's server has it. */
export interface BlueskyBlob {
  readonly $type: 'blob';
  readonly ref: { readonly $link: string };
  readonly mimeType: string;
  readonly size: number;
}

/** A video below a post. */
interface VideoEmbed {
  readonly $type: 'app.bsky.embed.video';
  readonly video: BlueskyBlob;
  readonly alt?: string;
}

/** Images below a post. Each has to say what it shows, and be it nothing. */
interface ImagesEmbed {
  readonly $type: 'app.bsky.embed.images';
  readonly images: readonly { readonly image: BlueskyBlob; readonly alt: string }[];
}

export type MediaEmbed = VideoEmbed | ImagesEmbed;

interface Reference {
  readonly uri: string;
  readonly cid: string;
}

export interface ReplyTo {
  readonly root: Reference;
  readonly parent: Reference;
}

/** More are left as text, because each is asked for. */
const MAX_MENTIONS = 20;

const ADDRESS = /(?<![\p{L}\p{N}_])https?:\/\/[^\s<>"]+/giu;
const MENTION =
  /(?<![\p{L}\p{N}_./@])@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)/giu;
/** Of letters, numbers and underscores, and not of numbers alone; 64 characters at most. */
const TAG = /(?<![\p{L}\p{N}_&/#])[#＃](?=[\p{N}_]*\p{L})([\p{L}\p{M}\p{N}_]{1,64})(?![\p{L}\p{M}\p{N}_])/gu;

const DIGITS = '234567abcdefghijklmnopqrstuvwxyz';
const DIGIT_BITS = 5n;
const KEY_DIGITS = 13;
const CLOCK_BITS = 10n;
const MINUTE_MS = 60_000;
const MINUTE_MICROS = 60_000_000;

export function draftOf(payload: Payload<'bluesky'>): BlueskyDraft {
  const { text } = payload;
  const links = [...text.matchAll(ADDRESS)].flatMap((match) => {
    match[0] = linkOf(match[0]);
    // A server may refuse a post that links to what is no address.
    return URL.canParse(match[0]) ? [match] : [];
  });
  // What stands in a link is none of its own.
  const isFree = ({ index }: RegExpExecArray) =>
    links.every((link) => index < link.index || index >= link.index + link[0].length);
  const featured = (
    found: RegExpExecArray[],
    type: string,
    name: string,
    valueOf: (match: RegExpExecArray) => string,
  ) =>
    found.map((match) => ({
      index: partOf(text, match),
      features: [{ $type: `app.bsky.richtext.facet#${type}`, [name]: valueOf(match) }],
    }));
  return {
    payload,
    facets: [
      ...featured(links, 'link', 'uri', ([uri]) => uri),
      ...featured([...text.matchAll(TAG)].filter(isFree), 'tag', 'tag', ([, tag = '']) => tag),
    ],
    mentions: [...text.matchAll(MENTION)]
      .filter(isFree)
      .slice(0, MAX_MENTIONS)
      .map((match) => ({ handle: (match[1] as string).toLowerCase(), index: partOf(text, match) })),
  };
}

/**
 * The record: a function of the row, and of who has the names that it mentions.
 * @param dids by handle; a handle without one stays text
 * @param dueAt epoch milliseconds
 */
export function recordOf(
  { payload, facets, mentions }: BlueskyDraft,
  {
    dids,
    reply,
    dueAt,
    embed,
  }: {
    readonly dids: ReadonlyMap<string, string>;
    readonly reply?: ReplyTo;
    readonly dueAt: number;
    readonly embed?: MediaEmbed;
  },
): object {
  const { text, link, title = '', description = '', language } = payload;
  const mentioned = mentions.flatMap(({ handle, index }) => {
    const did = dids.get(handle);
    return did === undefined ? [] : [{ index, features: [{ $type: 'app.bsky.richtext.facet#mention', did }] }];
  });
  const all = [...facets, ...mentioned].toSorted((one, other) => one.index.byteStart - other.index.byteStart);
  return {
    $type: COLLECTION,
    text,
    createdAt: new Date(dueAt).toISOString(),
    ...(all.length === 0 ? {} : { facets: all }),
    ...(language === undefined ? {} : { langs: [language] }),
    ...(reply === undefined ? {} : { reply }),
    ...(link === undefined
      ? {}
      : { embed: { $type: 'app.bsky.embed.external', external: { uri: link, title, description } } }),
    ...(embed === undefined ? {} : { embed }),
  };
}

/**
 * The key of the record, a TID: the minute in which the message is due, and 36 bits of its idempotency key, so that
 * neither two messages of an account nor two deployments meet at one.
 */
export function recordKey(idempotencyKey: string, dueAt: number): string {
  const hash = createHash('sha256').update(idempotencyKey).digest();
  const micros = Math.floor(dueAt / MINUTE_MS) * MINUTE_MICROS + (hash.readUInt32BE(0) % MINUTE_MICROS);
  let rest = (BigInt(micros) << CLOCK_BITS) | BigInt(hash.readUInt16BE(4) % 2 ** Number(CLOCK_BITS));
  let key = '';
  for (let n = 0; n < KEY_DIGITS; n++) {
    key = (DIGITS[Number(rest & 31n)] as string) + key;
    rest >>= DIGIT_BITS;
  }
  return key;
}

function partOf(text: string, { 0: found, index }: RegExpExecArray): Part {
  const byteStart = Buffer.byteLength(text.slice(0, index));
  return { byteStart, byteEnd: byteStart + Buffer.byteLength(found) };
}
