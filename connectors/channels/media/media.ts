import { type FileHandle, realpath } from 'node:fs/promises';
import type { Clock } from '../../../topology/core/clock';
import type { MediaItem } from '../../../topology/payloads/media';
import { HttpCaller } from '../http/http-caller';
import type { NetworkSettings } from '../http/network';
import { fetchImage, type Got, type MediaLimits, noRoom, wrongType } from './media-fetch';
import { type MediaFile, mediaFile, openBelow, typeIn } from './media-file';
import { type MediaPlace, MediaRoom } from './media-room';

export interface MediaOptions {
  readonly clock: Clock;
  readonly network: NetworkSettings;
  /** Below which files may be named; undefined when none may. */
  readonly folder: string | undefined;
  readonly limits: MediaLimits;
  /** To the status of one answer, milliseconds. */
  readonly timeoutMs: number;
  /** Requests of the channel that may be in flight. */
  readonly concurrency: number;
}

/** All files of a message must have come within so many times the time-out. */
const TIMES_TIMEOUT = 3;
/** Of the requests in flight, so many may be of messages whose media are in work: 1 in so many. */
const PART_OF_SLOTS = 4;
/** Messages of one account whose media are in work. */
const PER_ACCOUNT = 8;
/** How long a message waits for its place. */
const WAIT_MS = 1_000;
/** On this machine's disk, for one channel. */
const MAX_DISK_BYTES = 1024 ** 3;
/** The files of one message together, unless its provider takes less. */
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
    const { clock, network, timeoutMs, concurrency } = options;
    const places = Math.max(1, Math.floor(concurrency / PART_OF_SLOTS));
    this.caller = new HttpCaller({ timeoutMs, perOrigin: places, clock, network });
    this.room = new MediaRoom({ places, perAccount: PER_ACCOUNT, bytes: MAX_DISK_BYTES, waitMs: WAIT_MS }, clock);
  }

  /**
   * Does the work with a message's files, in their order, or says what it means that one could not be had.
   * @param now epoch milliseconds
   */
  async with<T>(
    account: string,
    items: readonly MediaItem[],
    now: () => number,
    work: (files: readonly MediaFile[]) => Promise<T>,
  ): Promise<T | Failed> {
    const place = await this.room.enter(account);
    if (place === undefined) return noRoom("the account's other messages still wait for theirs");
    const handles: FileHandle[] = [];
    let isSlow = false;
    try {
      const got = await this.all(account, items, place, handles, now);
      if (Array.isArray(got)) return await work(got);
      ({ isSlow } = got);
      return got.failed;
    } finally {
      await Promise.all(handles.map((handle) => handle.close()));
      place.leave(isSlow);
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const controller of this.underWay) controller.abort();
    await this.caller.close();
  }

  /** @param handles are added to, for the caller to close */
  private async all(
    account: string,
    items: readonly MediaItem[],
    place: MediaPlace,
    handles: FileHandle[],
    now: () => number,
  ): Promise<MediaFile[] | { readonly failed: Failed; readonly isSlow: boolean }> {
    const { clock, timeoutMs, limits } = this.options;
    const controller = new AbortController();
    const { signal } = controller;
    this.underWay.add(controller);
    const timer = clock.after(TIMES_TIMEOUT * timeoutMs, () => controller.abort());
    const files: MediaFile[] = [];
    let total = 0;
    const most = limits.maxTotalBytes ?? MAX_MESSAGE_BYTES;
    try {
      for (const { url, file = '', alt } of items) {
        const fetching = { account, limits, place, signal, now };
        const got = url === undefined ? await this.fromFolder(file) : await fetchImage(this.caller, url, fetching);
        if (this.isClosed) return { failed: 'not_started', isSlow: false };
        if (got === 'not_started' || got.kind !== 'file') return { failed: got, isSlow: signal.aborted };
        handles.push(got.handle);
        total += got.bytes;
        if (total > most) {
          const reason = `The images of the message are larger than ${most} bytes together`;
          return { failed: { kind: 'rejected', reason }, isSlow: false };
        }
        files.push(mediaFile(got.handle, { ...got, alt, number: files.length + 1 }));
      }
      return files;
    } finally {
      timer.cancel();
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
    const type = await typeIn(handle);
    if (type !== undefined && limits.types.includes(type) && bytes <= limits.maxBytes) {
      return { kind: 'file', handle, type, bytes };
    }
    await handle.close();
    if (bytes > limits.maxBytes)
      return refused(`it is larger than the ${limits.maxBytes} bytes that the provider takes`);
    return refused(wrongType(type, limits));
  }
}
