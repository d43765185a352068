/**
 * An error is an instruction. Expected outcomes are values (see message.ts), not errors; what is thrown says what to do:
 *
 * - {@link BadRecord}: skip this one record, count it, and continue with the next.
 * - {@link Unavailable}: a part of the stack did not answer; try again later, nothing is lost.
 * - {@link UserError}: the reader of the message must change something, and the message says what. Printed without a stack.
 * - anything else: a bug. The worker ends with a log line, and its engine starts it again.
 */
export class BadRecord extends Error {
  override readonly name = 'BadRecord';
}

export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

/** Some partitions did not confirm; the records of the others were appended. */
export class PartlyAppended extends Unavailable {
  /** @param offsets of each record, in the order given; undefined where the append is not certain */
  constructor(
    message: string,
    readonly offsets: readonly (number | undefined)[],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The database refuses to write some rows, and would again; the others were claimed. */
export class PartlyClaimed extends Unavailable {
  /** @param won how many rows were claimed */
  constructor(
    message: string,
    readonly won: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export class UserError extends Error {
  override readonly name = 'UserError';
}

/** The database has not had migrations without which this version cannot do what was asked for. */
export class SchemaBehind extends UserError {}

/** The text of anything that was thrown. */
export function reasonOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message || error.name : error);
  } catch {
    return 'an error without a text';
  }
}
