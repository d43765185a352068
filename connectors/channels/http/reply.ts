import type { Answered } from './exchange';
import { jsonIn } from './json-answer';
import type { Redaction } from './redaction';
import { retryAfterMs } from './retry-after';

const MAX_SHOWN_CHARACTERS = 200;
/** How much of a body is looked at for an error text. */
const SEARCHED_BYTES = 16 * 1024;

/** A provider's answer, for its channel to read. What it shows quotes no credential of the request. */
export class Reply {
  readonly kind = 'answered';
  private parsed: { readonly value: unknown } | undefined;

  constructor(
    private readonly answered: Answered,
    private readonly redaction: Redaction,
  ) {}

  get status(): number {
    return this.answered.status;
  }

  get isOk(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** The first of them. @param name in small letters */
  header(name: string): string | undefined {
    return this.headersOf(name)[0];
  }

  /** The body; undefined when it is no JSON, was longer than what is kept of an answer, or has more in it than any provider's. */
  json(): unknown {
    this.parsed ??= { value: jsonIn(this.answered.body) };
    return this.parsed.value;
  }

  /** A text of the answer, else the beginning of its body, on one line. */
  shown(text?: unknown): string {
    const given = typeof text === 'string' ? text : this.answered.body.toString('utf8', 0, SEARCHED_BYTES);
    return this.redaction.shown(given.replace(/[\s\p{C}]+/gu, ' ').trim(), MAX_SHOWN_CHARACTERS);
  }

  /**
   * How long the provider wants us to wait, from the headers of this name, in each form that servers send.
   * @param now epoch milliseconds, against which a time is read
   */
  waitMs(header: string, now: number): number | undefined {
    return retryAfterMs(this.headersOf(header).join(), now);
  }

  private headersOf(name: string): string[] {
    const { headers } = this.answered;
    const values: string[] = [];
    for (let at = 0; at + 1 < headers.length; at += 2) {
      const found = (headers[at] as Buffer).toString('latin1').toLowerCase();
      if (found === name) values.push((headers[at + 1] as Buffer).toString('latin1'));
    }
    return values;
  }
}
