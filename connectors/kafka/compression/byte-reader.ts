/** Reads bytes one after another, and throws at the end instead of inventing some. */
export class ByteReader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  get left(): number {
    return this.bytes.length - this.at;
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  /** A number of `count` bytes, the lowest first. */
  little(count: number): number {
    return this.take(count).readUIntLE(0, count);
  }

  /** A number of four bytes, the highest first. */
  big(): number {
    return this.take(4).readUInt32BE(0);
  }

  take(count: number): Buffer {
    if (count > this.left) throw new Error('it ends too soon');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
}
