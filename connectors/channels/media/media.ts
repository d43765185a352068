import { type FileHandle, realpath } from 'node:fs/promises';
import type { Clock, Timer } from '../../../topology/core/clock';
import type { MediaItem } from '../../../topology/payloads/media';
import { HttpCaller } from '../http/http-caller';
import type { NetworkSettings } from '../http/network';
import { countedAs, fetchMedia, type Got, type MediaTaken, noRoom, takenOf, tooLarge, wrongType } from './media-fetch';
import { type MediaFile, mediaFile, openBelow, SLOWEST_BYTES_PER_MS, timeForMs, typeIn } from './media-file';
import { type Left, type MediaPlace, MediaRoom } from './media-room';
import { isVideo } from './media-type';

export interface MediaOptions {
  readonly clock: Clock;
  readonly network: NetworkSettings;
  /** Below which files may be named; undefined when none may. */
  readonly folder: string | undefined;
  readonly limits: MediaTaken;
  /** To the status of one answer, milliseconds. */
  readonly timeoutMs: number;
  /** Requests of the channel that may be in flight. */
  readonly concurrency: number;
}

/** All files of a message must have come within so many times the time-out, besides the time for the bytes of videos. */
const TIMES_TIMEOUT = 3;
/** And all work for the message must have ended within so many, besides the time for its bytes; then nothing new is begun. */
const TIMES_TIMEOUT_IN_ALL = 6;
/** Of the requests in flight, so many may be of messages whose media are in work: 1 in so many. */
const PART_OF_SLOTS = 4;
/** Messages of one account whose media are in work. */
const PER_ACCOUNT = 8;
/** How long a message waits for its place. */
const WAIT_MS = 1_000;
/** On this machine's disk, for one channel, unless its videos may be large. */
const MAX_DISK_BYTES = 1024 ** 3;
/** So many of the largest videos: half of the room is for videos, and one of an account leaves it to one of another. */
const LARGEST_VIDEOS = 4;
/** A video of which less comes within this time is given up, because it keeps room that others could have. */
const RATE_LOOK_MS = 30_000;
/** Half of the slowest rate for which time is allowed. */
const LEAST_BYTES_PER_MS = SLOWEST_BYTES_PER_MS / 2;
/** The files of one message together, unless its provider takes less, or a video that is larger. */
const MAX_MESSAGE_BYTES = 100 * 1024 ** 2;
/** What the file system says of a file that is not there. */
const MISSING = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'ENAMETOOLONG', 'EACCES']);

type Failed = Exclude<Got, { kind: 'file' }>;

/**
 * The media of messages: got before the provider is asked for anything, and gone afterwards.
 *
 * 1. *Slow media hosts of one account delay nobody else's messages*: see MediaRoom for places and disk space; a message without
 *    a place goes back, to be sent a little later.
 */
export class Media {
  private readonly caller: HttpCaller;
  private readonly room: MediaRoom;
  private readonly underWay = new Set<AbortController>();
  private isClosed = false;

  constructor(private readonly options: MediaOptions) {
    const { clock, network, timeoutMs, concurrency, limits } = options;
    const places = Math.max(1, Math.floor(concurrency / PART_OF_SLOTS));
    this.caller = new HttpCaller({ timeoutMs, perOrigin: places, clock, network });
    const bytes = Math.max(MAX_DISK_BYTES, LARGEST_VIDEOS * (limits.video?.maxBytes ?? 0));
    this.room = new MediaRoom({ places, perAccount: PER_ACCOUNT, bytes, waitMs: WAIT_MS }, clock);
  }

  /**
   * Does the work with a message's files, in their order, or says what it means that one could not be had. The work is given the
   * monotonic milliseconds after which it begins nothing more. An account is slow whose message took more than half of the time.
   * @param now epoch milliseconds
   */
  async with<T>(
    account: string,
    items: readonly MediaItem[],
    now: () => number,
    work: (files: readonly MediaFile[], until: number) => Promise<T>,
  ): Promise<T | Failed> {
    const place = await this.room.enter(account);
    if (place === undefined) return noRoom('other messages have all places');
    const handles: FileHandle[] = [];
    const { clock, timeoutMs } = this.options;
    const began = clock.monotonic();
    let left: Left = 'failed';
    const time = { allowedMs: TIMES_TIMEOUT * timeoutMs, isTooSlow: false };
    const slowAfter = (ms: number) => {
      if (clock.monotonic() - began > ms / 2) left = 'slow';
    };
    try {
      const got = await this.all(account, items, place, handles, now, time);
      slowAfter(time.allowedMs);
      if (time.isTooSlow) left = 'slow';
      if (!Array.isArray(got)) return got.failed;
      const bytes = got.reduce((sum, file) => sum + file.bytes, 0);
      const allowedMs =
        TIMES_TIMEOUT_IN_ALL * timeoutMs + time.allowedMs - TIMES_TIMEOUT * timeoutMs + timeForMs(bytes);
      try {
        return await work(got, began + allowedMs);
      } finally {
        if (left === 'failed') left = 'in_time';
        slowAfter(allowedMs);
      }
    } finally {
      await Promise.all(handles.map((handle) => handle.close()));
      place.leave(left);
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const controller of this.underWay) controller.abort();
    await this.caller.close();
  }

  /**
   * @param handles are added to, for the caller to close
   * @param time for all files together; a video adds to it. `isTooSlow` is set when one did not come fast enough
   */
  private async all(
    account: string,
    items: readonly MediaItem[],
    place: MediaPlace,
    handles: FileHandle[],
    now: () => number,
    time: { allowedMs: number; isTooSlow: boolean },
  ): Promise<MediaFile[] | { readonly failed: Failed }> {
    const { clock, limits } = this.options;
    const controller = new AbortController();
    const { signal } = controller;
    this.underWay.add(controller);
    const began = clock.monotonic();
    const end = () => controller.abort();
    let timer = clock.after(time.allowedMs, end);
    const firstMs = time.allowedMs;
    let videoBytes = 0;
    let cameBytes = 0;
    let look: Timer | undefined;
    const watch = () => {
      look?.cancel();
      const before = cameBytes;
      look = clock.after(RATE_LOOK_MS, () => {
        time.isTooSlow = cameBytes - before < LEAST_BYTES_PER_MS * RATE_LOOK_MS;
        if (time.isTooSlow) end();
        else watch();
      });
    };
    const came = (bytes: number) => {
      cameBytes += bytes;
    };
    const allow = (bytes: number) => {
      watch();
      videoBytes += bytes;
      time.allowedMs = firstMs + timeForMs(videoBytes);
      timer.cancel();
      timer = clock.after(began + time.allowedMs - clock.monotonic(), end);
    };
    const files: MediaFile[] = [];
    let total = 0;
    const most = limits.maxTotalBytes ?? Math.max(MAX_MESSAGE_BYTES, limits.video?.maxBytes ?? 0);
    try {
      for (const { url, file = '', alt } of items) {
        const fetching = { account, limits, place, signal, now, allow, came };
        const got = url === undefined ? await this.fromFolder(file) : await fetchMedia(this.caller, url, fetching);
        look?.cancel();
        if (this.isClosed) return { failed: 'not_started' };
        if (got === 'not_started' || got.kind !== 'file') return { failed: got };
        handles.push(got.handle);
        if (isVideo(got.type) && items.length > 1 && limits.video?.isBesides === undefined) {
          const reason = 'The provider shows a video alone; leave the other media of the message out';
          return { failed: { kind: 'rejected', reason } };
        }
        total += got.bytes;
        if (total > most) {
          const reason = `The media of the message are larger than ${most} bytes together`;
          return { failed: { kind: 'rejected', reason } };
        }
        files.push(mediaFile(got.handle, { ...got, alt, number: files.length + 1 }));
      }
      return files;
    } finally {
      timer.cancel();
      look?.cancel();
      this.underWay.delete(controller);
    }
  }

  private async fromFolder(path: string): Promise<Got> {
    const { folder, limits } = this.options;
    if (folder === undefined) {
      const reason = `The file ${path} is not sent: set MEDIA_FOLDER on the workers to the folder below which files may be named`;
      return { kind: 'rejected', reason };
    }
    let handle: FileHandle | undefined;
    try {
      handle = await openBelow(await realpath(folder), path);
    } catch (error) {
      const { code = '', path: at } = error as NodeJS.ErrnoException;
      if (!MISSING.has(code) || at === folder)
        return { kind: 'postponed', reason: `MEDIA_FOLDER cannot be read: ${code}` };
    }
    const refused = (why: string): Got => ({ kind: 'rejected', reason: `The file ${path} is not sent: ${why}` });
    if (handle === undefined) return refused('it is not below the MEDIA_FOLDER of the worker, or may not be read');
    const { size: bytes } = await handle.stat();
    const type = countedAs(await typeIn(handle), limits);
    const taken = takenOf(type, limits);
    if (type !== undefined && taken !== undefined && bytes <= taken.maxBytes) {
      return { kind: 'file', handle, type, bytes };
    }
    await handle.close();
    return refused(taken === undefined ? wrongType(type, limits) : tooLarge(taken.maxBytes));
  }
}
