/** More than any batch that a broker takes with its default settings: what is larger is damaged, or meant to do harm. */
export const MAX_BATCH_BYTES = 64 * 1024 * 1024;

/** What a decompressor has written so far. It grows, and never beyond the bound. */
export class BoundedOutput {
  private buffer = Buffer.allocUnsafe(64 * 1024);
  length = 0;

  constructor(private readonly maxBytes = MAX_BATCH_BYTES) {}

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Repeats what was written `distance` bytes ago; the two may overlap, as in a run of one byte. */
  repeat(distance: number, count: number): void {
    if (distance < 1 || distance > this.length) throw new Error('a copy from before the beginning');
    this.reserve(count);
    const { buffer } = this;
    let from = this.length - distance;
    if (distance >= count) buffer.copyWithin(this.length, from, from + count);
    else for (let to = this.length; to < this.length + count; to++) buffer[to] = buffer[from++] as number;
    this.length += count;
  }

  toBuffer(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed > this.maxBytes) throw new Error(`more than ${this.maxBytes} bytes`);
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.min(this.maxBytes, Math.max(needed, this.buffer.length * 2)));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}
