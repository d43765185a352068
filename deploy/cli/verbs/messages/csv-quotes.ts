const [TAB, LINE_FEED, RETURN, BLANK, QUOTE, BACKSLASH] = [0x09, 0x0a, 0x0d, 0x20, 0x22, 0x5c];
/** More blanks than this are text, wherever they stand. */
const MAX_BLANKS = 64 * 1024;

/** Where in a cell a byte stands: before it begins, within it, and after a quote that ends it or is the first of two. */
type Place = 'before' | 'plain' | 'quoted' | 'after';

/**
 * Reads a CSV file before its parser does. The blanks between a separator and a quote are left out, as people write them
 * (`a, "b" , c`), and so are those of cells that have nothing else and no quotes. All other blanks are text and stay; the
 * parser can only leave out all or none.
 */
export class CsvQuotes {
  private place: Place = 'before';
  private line = 1;
  private previous = 0;
  private afterBackslash = false;
  private readonly end: number;
  private readonly backslashed = new Set<number>();
  private cut = false;

  constructor(delimiter: string) {
    this.end = delimiter.charCodeAt(0);
  }

  /** Whether the file is over, and did not end with the end of a line. */
  get isCut(): boolean {
    return this.cut;
  }

  /**
   * Whether quotes were written as \" up to this line, by a program that does not double them. Asked once for each line or
   * record, because what was asked for is forgotten.
   */
  hasBackslashes(upToLine: number): boolean {
    const found = [...this.backslashed].filter((line) => line <= upToLine);
    for (const line of found) this.backslashed.delete(line);
    return found.length > 0;
  }

  async *tidy(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    /** Blanks of which the next byte says whether they are text. */
    let open: Buffer = Buffer.alloc(0);
    for await (const chunk of chunks) {
      const bytes = open.length === 0 ? chunk : Buffer.concat([open, chunk]);
      let from = 0;
      let blanksFrom = open.length === 0 ? -1 : 0;
      for (let at = open.length; at < bytes.length; at++) {
        const byte = bytes[at] as number;
        if (this.isBlank(byte)) {
          if (blanksFrom === -1) blanksFrom = at;
          continue;
        }
        const areText = this.read(byte, blanksFrom !== -1);
        if (blanksFrom !== -1 && !areText) {
          if (blanksFrom > from) yield bytes.subarray(from, blanksFrom);
          from = at;
        }
        blanksFrom = -1;
      }
      const isOpen = blanksFrom !== -1 && bytes.length - blanksFrom <= MAX_BLANKS;
      if (blanksFrom !== -1 && !isOpen) this.place = 'plain';
      const to = isOpen ? blanksFrom : bytes.length;
      if (to > from) yield bytes.subarray(from, to);
      open = bytes.subarray(to);
    }
    this.cut = this.previous !== LINE_FEED && this.previous !== RETURN;
  }

  /** Of those that stand outside of a cell's text. */
  private isBlank(byte: number): boolean {
    if ((byte !== BLANK && byte !== TAB) || byte === this.end) return false;
    return this.place === 'before' || this.place === 'after';
  }

  /** @returns whether the blanks before this byte, outside of a cell's text as it seemed, are text all the same */
  private read(byte: number, hasBlanks: boolean): boolean {
    const before = this.place;
    this.place = this.placeAfter(byte, hasBlanks);
    if (before === 'quoted' && byte === QUOTE) this.afterBackslash = this.previous === BACKSLASH;
    if (before === 'after' && this.place === 'plain' && this.afterBackslash) this.backslashed.add(this.line);
    if (byte === RETURN || (byte === LINE_FEED && this.previous !== RETURN)) this.line += 1;
    this.previous = byte;
    return this.place === 'plain';
  }

  private placeAfter(byte: number, hasBlanks: boolean): Place {
    if (this.place === 'quoted') return byte === QUOTE ? 'after' : 'quoted';
    if (byte === this.end || byte === LINE_FEED || byte === RETURN) return 'before';
    if (byte !== QUOTE || this.place === 'plain') return 'plain';
    // A second quote, right after the first, stands for one that is text.
    if (this.place === 'after') return hasBlanks ? 'plain' : 'quoted';
    return 'quoted';
  }
}
