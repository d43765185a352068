import { BoundedOutput } from './bounded-output';
import { ByteReader } from './byte-reader';

const MAGIC = 0x184d2204;
/** The bits of a frame's flags. */
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY = 0x01;
/** The highest bit of a block's length: the block is not compressed. */
const PLAIN = 0x80000000;
const MIN_COPY_BYTES = 4;

/** LZ4 frames, one after the other: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md. Checksums are the broker's business. */
export function decompressLz4(bytes: Buffer, maxBytes?: number): Buffer {
  const output = new BoundedOutput(maxBytes);
  const reader = new ByteReader(bytes);
  do readFrame(reader, output);
  while (reader.left > 0);
  return output.toBuffer();
}

function readFrame(reader: ByteReader, output: BoundedOutput): void {
  if (reader.little(4) !== MAGIC) throw new Error('it is no LZ4 frame');
  const flags = reader.byte();
  // The largest block, the sizes that the flags announce, and the header's checksum.
  reader.take(1 + (flags & CONTENT_SIZE ? 8 : 0) + (flags & DICTIONARY ? 4 : 0) + 1);
  for (let length = reader.little(4); length !== 0; length = reader.little(4)) {
    const block = reader.take(length % PLAIN);
    if (length >= PLAIN) output.append(block);
    else decodeBlock(block, output);
    if (flags & BLOCK_CHECKSUM) reader.take(4);
  }
  if (flags & CONTENT_CHECKSUM) reader.take(4);
}

/** Copies may reach back into earlier blocks of the frame: whether they do is a flag that does not matter here. */
function decodeBlock(bytes: Buffer, output: BoundedOutput): void {
  const reader = new ByteReader(bytes);
  while (reader.left > 0) {
    const token = reader.byte();
    output.append(reader.take(lengthOf(token >> 4, reader)));
    // The last sequence of a block has literals only.
    if (reader.left === 0) return;
    const distance = reader.little(2);
    output.repeat(distance, MIN_COPY_BYTES + lengthOf(token & 15, reader));
  }
}

function lengthOf(start: number, reader: ByteReader): number {
  if (start < 15) return start;
  let length = start;
  for (let byte = 255; byte === 255; length += byte) byte = reader.byte();
  return length;
}
