import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { BoundedOutput, MAX_BATCH_BYTES } from './bounded-output';
import { decompressLz4 } from './lz4';
import { decompressSnappy } from './snappy';

/** As kafkajs wants it. */
interface Codec {
  decompress(bytes: Buffer): Promise<Buffer>;
  compress(): Promise<never>;
}

/**
 * Everything that a broker can store. Its own setting and the topic's decide how records arrive, whatever a writer asked for,
 * and one that is changed says nothing about records that are there already.
 */
export const codecs = {
  gzip: codec((bytes) => promisify(gunzip)(bytes, { maxOutputLength: MAX_BATCH_BYTES })),
  snappy: codec(async (bytes) => decompressSnappy(bytes)),
  lz4: codec(async (bytes) => decompressLz4(bytes)),
  zstd: codec(async (bytes) => decompressZstd(bytes)),
};

function codec(decompress: Codec['decompress']): Codec {
  return {
    decompress,
    compress: () =>
      Promise.reject(new Error('tuples are appended without compression: they are small, and latency counts')),
  };
}

function decompressZstd(bytes: Buffer): Buffer {
  const output = new BoundedOutput();
  const stream = new Decompress((chunk) => output.append(chunk));
  stream.push(bytes, true);
  return output.toBuffer();
}
