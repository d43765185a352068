import { BoundedOutput } from './bounded-output';
import { ByteReader } from './byte-reader';

/** Java writes blocks in a stream of its own: this magic, two versions, then each block after its length. */
const STREAM_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const VERSIONS_BYTES = 8;

/** Snappy, as Java's stream of blocks or as one bare block: https://github.com/google/snappy/blob/main/format_description.txt */
export function decompressSnappy(bytes: Buffer, maxBytes?: number): Buffer {
  const output = new BoundedOutput(maxBytes);
  const isStream = bytes.subarray(0, STREAM_MAGIC.length).equals(STREAM_MAGIC);
  if (!isStream) decodeBlock(bytes, output);
  else {
    const reader = new ByteReader(bytes.subarray(STREAM_MAGIC.length + VERSIONS_BYTES));
    while (reader.left > 0) decodeBlock(reader.take(reader.big()), output);
  }
  return output.toBuffer();
}

function decodeBlock(bytes: Buffer, output: BoundedOutput): void {
  const reader = new ByteReader(bytes);
  const end = output.length + varint(reader);
  while (reader.left > 0) {
    const tag = reader.byte();
    const upper = tag >> 2;
    switch (tag & 3) {
      case 0:
        output.append(reader.take(1 + (upper < 60 ? upper : reader.little(upper - 59))));
        break;
      case 1:
        output.repeat(((tag >> 5) << 8) | reader.byte(), 4 + (upper & 7));
        break;
      case 2:
        output.repeat(reader.little(2), 1 + upper);
        break;
      default:
        output.repeat(reader.little(4), 1 + upper);
    }
  }
  if (output.length !== end) throw new Error('it is not as long as it says');
}

function varint(reader: ByteReader): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = reader.byte();
    value += (byte & 127) * factor;
    if (byte < 128) return value;
  }
}
