import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { endingOf, HEAD_BYTES, kindOf, type MediaType, mediaTypeOf } from './media-type';

const CHUNK_BYTES = 64 * 1024;
/** An upload of which nobody sees an effect may take as long as it takes at 1 MiB in 8 s. */
export const SLOWEST_BYTES_PER_MS = 128;
/** All bytes of a message take no longer than this, each way, however many they are. */
const MAX_BYTES_MS = 900_000;

/** An image, a video or another file that is ready to be sent on. */
export interface MediaFile {
  /** Such as `image-1.png`: the name at its source may say what nobody shall know. */
  readonly name: string;
  readonly type: MediaType;
  readonly bytes: number;
  readonly alt: string | undefined;
  /** From its beginning, each time, or these bytes of it. */
  readonly read: (from?: number, until?: number) => AsyncGenerator<Buffer>;
}

/** How long so many bytes of a message may take. */
export function timeForMs(bytes: number): number {
  return Math.min(bytes / SLOWEST_BYTES_PER_MS, MAX_BYTES_MS);
}

/** A part of a file, as a file. */
export function partOf(file: MediaFile, from: number, most: number): MediaFile {
  const until = Math.min(from + most, file.bytes);
  return { ...file, bytes: until - from, read: () => file.read(from, until) };
}

/** What is in an open file. @param number counted from 1 in its message */
export function mediaFile(
  handle: FileHandle,
  { type, bytes, number, alt }: Pick<MediaFile, 'type' | 'bytes' | 'alt'> & { readonly number: number },
): MediaFile {
  const name = `${kindOf(type)}-${number}.${endingOf(type)}`;
  return { name, type, bytes, alt, read: (from = 0, until = bytes) => chunksOf(handle, from, until) };
}

/** A new file on this machine's disk that has no name any more, so that it goes with its process, however that ends. */
export async function nameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `downspout-media-${randomUUID()}`);
  const handle = await open(path, 'wx+', 0o600);
  try {
    await unlink(path);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return handle;
}

/** Writes all of a chunk: a disk that is full may take the beginning of it, and says so without an error. */
async function writeAll(handle: Pick<FileHandle, 'write'>, chunk: Buffer, at: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, at + done);
    if (bytesWritten === 0) throw new Error('the disk takes no more');
    done += bytesWritten;
  }
}

/** Writes a file from its beginning. Whoever sends it in chunks of one byte causes as many writes as if they were large. */
export class FileWriter {
  private readonly held = Buffer.allocUnsafe(CHUNK_BYTES);
  private heldBytes = 0;
  private at = 0;

  constructor(private readonly handle: Pick<FileHandle, 'write'>) {}

  async add(chunk: Buffer): Promise<void> {
    if (this.heldBytes + chunk.length > CHUNK_BYTES) await this.flush();
    if (chunk.length > CHUNK_BYTES) return this.write(chunk);
    this.heldBytes += chunk.copy(this.held, this.heldBytes);
  }

  /** To be called after the last one. */
  async flush(): Promise<void> {
    const bytes = this.heldBytes;
    this.heldBytes = 0;
    if (bytes > 0) await this.write(this.held.subarray(0, bytes));
  }

  private async write(chunk: Buffer): Promise<void> {
    await writeAll(this.handle, chunk, this.at);
    this.at += chunk.length;
  }
}

/** What a file is by how it begins. */
export async function typeIn(handle: FileHandle): Promise<MediaType | undefined> {
  const head = Buffer.alloc(HEAD_BYTES);
  const { bytesRead } = await handle.read(head, 0, HEAD_BYTES, 0);
  return mediaTypeOf(head.subarray(0, bytesRead));
}

/**
 * Opens a file below a folder. What is not below it once links are followed, or is no ordinary file, is not there.
 * @param root the folder, without links
 * @throws an error with a code of the file system's
 */
export async function openBelow(root: string, path: string): Promise<FileHandle | undefined> {
  // A pipe is opened without waiting for who writes into it.
  const handle = await open(join(root, path), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const opened = await handle.stat();
    const real = await realpath(join(root, path));
    const { dev, ino } = await stat(real);
    // The file that was opened is the one that lies below the folder, whatever a link is changed to meanwhile.
    if (opened.isFile() && real.startsWith(root + sep) && opened.dev === dev && opened.ino === ino) return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

async function* chunksOf(handle: FileHandle, from: number, until: number): AsyncGenerator<Buffer> {
  for (let at = from; at < until; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, until - at));
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) throw new Error('the file has become shorter');
    at += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}
