import { createHash } from 'node:crypto';
import type { MadeReady } from '../../../bolts/channel';
import type { IdKeeper, IdKeeping, KeptIds } from '../../../bolts/kept-ids';
import type { Outcome } from '../../../topology/message';
import type { MediaItem } from '../../../topology/payloads/media';
import type { MediaFile } from '../media/media-file';
import { isVideo } from '../media/media-type';
import type { Unpublished } from './api';
import { PATIENCE_MS } from './patience';

/** How a provider is with a video that it was given whole. `gone`: it does not know it, or not any more. */
export type VideoState =
  | 'ready'
  | 'gone'
  /** `status`: of the answer that said so. `askAfterMs`: when the provider wants to be asked again. */
  | { readonly kind: 'in_work'; readonly status: number; readonly askAfterMs?: number };

/** What a provider has of a video: `video` names it in posts. */
interface VideoIds {
  readonly video: string;
  /** Where posts are listed with another name of it. */
  readonly key?: string | undefined;
}

interface TakenVideo {
  readonly ids: VideoIds;
  /** Where the answer that ended the upload says it. */
  readonly state?: VideoState | Unpublished;
}

/** What differs from provider to provider. */
interface VideoHost {
  /** Gives the provider all of it. Nobody sees it before the post. */
  readonly upload: (file: MediaFile) => Promise<TakenVideo | Unpublished>;
  readonly stateOf: (video: string) => Promise<VideoState | Unpublished>;
}

/** What is kept of a message's video, for who looks for its post: only that one has it. */
export function keptVideo(
  { length }: readonly MediaItem[],
  kept: IdKeeper | undefined,
): Promise<KeptIds | undefined> | undefined {
  return length === 1 ? kept?.read() : undefined;
}

/** A video that can be posted. */
export interface ReadyVideo {
  readonly id: string;
  /** Asks its provider for it. Given where that has not just been done, because it was made ready a short time ago. */
  readonly ask?: () => Promise<VideoState | Unpublished>;
}

/** What an attempt gives. */
interface VideoSending {
  readonly files: readonly MediaFile[];
  readonly video?: VideoKeeping | undefined;
  readonly wait: (ms: number) => Promise<void>;
  /** Of a request. */
  readonly timeoutMs: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** An earlier attempt may have been accepted. */
  readonly inDoubt: boolean;
}

const LATER_MS = 15_000;
/** A provider that has lost a message's video so often will lose it again. */
const MAX_LOST = 3;
const OWNER_DIGITS = 16;
/**
 * What its provider has called ready is not asked for again for so long: at its instant nothing is left but the last call. Providers keep
 * what nobody has posted for hours.
 */
const FRESH_MS = 600_000;
/** Of names, of what providers take. */
const VIDEO_NAMES = ['.mp4', '.mov', '.m4v', '.webm'];

/** Whether its provider has said a short time ago that what these ids name is ready. */
export function isFresh({ ready }: KeptIds, now: number): boolean {
  return ready !== undefined && Math.abs(now - Number(ready)) < FRESH_MS;
}

/** Whether a message has one medium, which is a video by its name: what it is shows only when it is fetched. */
export function namesVideo([only, ...others]: readonly MediaItem[]): boolean {
  if (only === undefined || others.length > 0) return false;
  const { url, file = '' } = only;
  const name = (url === undefined ? file : new URL(url).pathname).toLowerCase();
  return VIDEO_NAMES.some((ending) => name.endsWith(ending));
}

/**
 * The ids of one message's video, or of all that it was given of its media, between attempts. They belong to whoever uploaded it: those of another owner, whom the account had
 * before, are of no use.
 */
export class VideoKeeping {
  /** As they were kept last. */
  private newest: KeptIds = {};

  private constructor(
    private readonly kept: IdKeeping,
    private readonly owner: string,
    private readonly found: KeptIds,
  ) {}

  /** @param owner whose it is; it may have secrets in it */
  static async of(kept: IdKeeping, owner: string): Promise<VideoKeeping> {
    const hash = createHash('sha256').update(owner).digest('hex').slice(0, OWNER_DIGITS);
    const found = (await kept.read()) ?? {};
    return new VideoKeeping(kept, hash, found['owner'] === hash ? found : {});
  }

  /** What an earlier attempt has uploaded. */
  get id(): string | undefined {
    return this.found['video'];
  }

  /** Its provider has called it ready a short time ago. */
  isReady(now: number): boolean {
    return isFresh(this.found, now);
  }

  /** How often the provider did not know any more what it had been given. */
  get lost(): number {
    return Number(this.found['lost'] ?? 0);
  }

  /** @returns false when another session has the message by now */
  keep({ video, key }: VideoIds): Promise<boolean> {
    return this.write({ video, ...(key === undefined ? {} : { key }), lost: String(this.lost) });
  }

  /** Its provider has just called it ready. @returns false when another session has the message by now */
  keepReady(now: number): Promise<boolean> {
    return this.write({ ...this.found, ...this.newest, ready: String(now) });
  }

  forget(): Promise<boolean> {
    return this.write({ lost: String(this.lost + 1) });
  }

  private write(ids: KeptIds): Promise<boolean> {
    this.newest = ids;
    return this.kept.keep({ ...ids, owner: this.owner });
  }
}

/**
 * Gives a provider the video of a message, unless an earlier attempt did, and waits until it can be posted: no longer than a request may
 * take, because others want the slot. Then the message is tried again, and goes on from there.
 *
 * 1. *What was uploaded whole is not uploaded again*: its id is kept before anything else is asked.
 * @returns undefined where the message has no video
 */
export async function readyVideo(
  host: VideoHost,
  { files: [file], video: keeping, wait, timeoutMs, now, inDoubt }: VideoSending,
): Promise<ReadyVideo | Unpublished | undefined> {
  let id = keeping?.id;
  let first: VideoState | Unpublished | undefined;
  if (id === undefined) {
    if (file === undefined || !isVideo(file.type)) return undefined;
    const taken = await host.upload(file);
    if (taken === 'not_started' || 'kind' in taken) return taken;
    if (keeping !== undefined && !(await keeping.keep(taken.ids))) return 'not_started';
    id = taken.ids.video;
    first = taken.state;
  } else if (!inDoubt && keeping?.isReady(now()) === true) {
    const known = id;
    return { id, ask: () => host.stateOf(known) };
  }
  let leftMs = timeoutMs;
  for (const ms of [...PATIENCE_MS, Number.POSITIVE_INFINITY]) {
    const state = first ?? (await host.stateOf(id));
    first = undefined;
    if (state === 'ready') return { id };
    if (state === 'gone') return lost(keeping);
    if (state === 'not_started' || state.kind !== 'in_work') return state;
    const { status, askAfterMs = 0 } = state;
    const pauseMs = Math.max(ms, askAfterMs);
    if (pauseMs > leftMs) {
      // With the status of its last answer, so that slots are shared out by how long it takes.
      const reason = 'The provider still works on the video; it has it, and is asked again';
      return { kind: 'retry', status, reason, afterMs: Math.max(LATER_MS, askAfterMs) };
    }
    leftMs -= pauseMs;
    await wait(pauseMs);
  }
  return undefined;
}

/** The provider does not know what it was given: it is given it again, unless it has lost it often. `not_started`: another session has the message. */
export async function lost(
  keeping: VideoKeeping | undefined,
): Promise<Extract<Outcome, { kind: 'retry' | 'rejected' }> | 'not_started'> {
  if (keeping !== undefined && !(await keeping.forget())) return 'not_started';
  const reason = 'The provider does not know the media any more that it was given';
  return (keeping?.lost ?? 0) + 1 < MAX_LOST ? { kind: 'retry', reason } : { kind: 'rejected', reason };
}

/**
 * What the refusal of a post means whose video was not asked for just before: where its provider has not got it any more it is given it
 * again, and where that cannot be said the post is tried again. Nothing was taken, so nothing is in doubt.
 */
export async function unlessLost(
  meant: Outcome,
  video: ReadyVideo | undefined,
  keeping: VideoKeeping | undefined,
): Promise<Outcome> {
  if (meant.kind !== 'rejected' || video?.ask === undefined) return meant;
  const state = await video.ask();
  if (state === 'ready' || (typeof state === 'object' && state.kind === 'rejected')) return meant;
  const { status, reason } = meant;
  const after: Outcome | 'not_started' =
    state === 'gone' ? await lost(keeping) : { kind: 'retry', reason: `${reason}; it may be for its video` };
  if (after === 'not_started') return meant;
  return { ...after, ...(status === undefined ? {} : { status }) };
}

/**
 * What came of making a video ready before its instant.
 * @param isSure its provider has called it ready
 */
export async function videoMadeReady(
  video: ReadyVideo | Unpublished | undefined,
  { video: keeping, now }: Pick<VideoSending, 'video' | 'now'>,
  isSure = true,
): Promise<MadeReady> {
  if (video === 'not_started' || (video !== undefined && 'kind' in video)) return video;
  if (video === undefined || keeping === undefined || !isSure) return 'ready';
  return (await keeping.keepReady(now())) ? 'ready' : 'not_started';
}
