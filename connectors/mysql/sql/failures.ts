import { reasonOf, Unavailable, UserError } from '../../../topology/core/errors';

const LOCK_WAIT_TIMEOUT = 1205;
const DEADLOCK = 1213;
const EXECUTION_TIME_EXCEEDED = 3024;
/** Of a statement that does not wait for locks. */
const LOCKED_AT_ONCE = 3572;
const DENIED_ON_TABLE = 1142;
const UNKNOWN_COLUMN = 1054;
export const DUPLICATE_KEY = 1062;

/** Mistakes of whoever runs Downspout, and what to do about them. They do not go away by themselves, but somebody may mend them. */
const ADVICE = new Map([
  [1044, 'Give the user of the connection URL rights on the database: run `downspout migrate --users`.'],
  [1045, 'Check the user and password of the connection URL; if the user must use TLS, add ssl-mode=REQUIRED to it.'],
  [1049, 'Create the database: run `downspout migrate`.'],
  [1054, 'The schema is not up to date: run `downspout migrate`.'],
  [1130, 'The server does not let this machine in.'],
  [1142, 'Give the user of the connection URL rights on the table: run `downspout migrate --users`.'],
  [1143, 'Give the user of the connection URL rights on the column: run `downspout migrate --users`.'],
  [1146, 'Create the tables: run `downspout migrate`.'],
  [1227, 'Use the URL of a user who has this right.'],
  [1370, 'Give the user of the connection URL rights on the routine: run `downspout migrate --users`.'],
  [1410, 'Use the URL of a user who may make users, or let somebody else make them.'],
  [1698, 'Check the user and password of the connection URL.'],
  [1820, 'The password of the user has expired: set a new one.'],
  [1862, 'The password of the user has expired: set a new one.'],
  [3118, 'The user of the connection URL is locked: unlock it.'],
  [3159, 'The server wants TLS: add ssl-mode=REQUIRED to the connection URL.'],
  [3955, 'The user of the connection URL is locked after wrong passwords: unlock it.'],
]);

/** Rights that a user lacks: on a database, to make users, on a table, on a column, in general. */
const DENIED = new Set([1044, 1142, 1143, 1227, 1410]);

/** The user may do nothing until its password is another one. */
const OF_USER = new Set([1820, 1862]);

/** Mistakes in our own statements, where these only read. */
const BUGS = new Set([
  1052, // ambiguous column
  1064, // syntax
  1065, // empty statement
  1066, // table named twice
  1136, // number of columns
  1222, // number of columns in a UNION
  1305, // no such routine
]);

/** A value does not fit: the same statement never succeeds. */
const DATA = new Set([
  1048, // NULL
  1153, // the statement is larger than the server takes
  1197, // larger than the binlog's cache
  1264, // out of range
  1265, // truncated
  1292, // not a value of this type
  1366, // not a text of this character set
  1406, // too long
  1644, // a trigger says so
  1690, // out of range in an expression
  1869, // one row twice in a statement
  3140, // not JSON
  3141,
  3143,
  3144,
  3819, // a CHECK
]);

/** Space or memory of the server has run out: some rows may find room where others do not, and that is no matter of rows. */
const EXHAUSTED = new Set([
  3, // a file cannot be written
  1021, // the disk is full
  1026, // a file cannot be written
  1114, // the table is full
  1206, // more locks than fit
]);

/** A transaction was refused for its size: half of it may pass. */
const TOO_LARGE = new Set([
  1153,
  1197, // larger than the binlog's cache
  1206, // more locks than fit
  3100, // a hook of replication refused the commit, which limits its size
]);

const FULL = new Set([
  1040, // of all users
  1203, // of this user
  1226, // of this user: its own limit
]);

/** A table that somebody exchanges for another, or alters, is missing or incomplete for a moment. */
const SCHEMA = new Set([1054, 1146]);

/** A call is more than one transaction, or one statement, may be: fewer messages at once may pass. */
export class TooMuchAtOnce extends UserError {}

/** The server's error number; undefined when the server did not answer with an error. */
export function errnoOf(error: unknown): number | undefined {
  const { errno, sqlState } = propertiesOf(error);
  if (typeof errno === 'number' && errno > 0 && typeof sqlState === 'string') return errno;
  return error instanceof Error && error.cause !== undefined ? errnoOf(error.cause) : undefined;
}

export function isLockWaitTimeout(error: unknown): boolean {
  return errnoOf(error) === LOCK_WAIT_TIMEOUT;
}

/** What a statement needs is locked by somebody else. Later it may not be. */
export function isLocked(error: unknown): boolean {
  return [LOCK_WAIT_TIMEOUT, DEADLOCK, LOCKED_AT_ONCE].includes(errnoOf(error) ?? 0);
}

export function isDeadlock(error: unknown): boolean {
  return errnoOf(error) === DEADLOCK;
}

/** The user lacks a right; `instructionOf` makes a UserError of it. */
export function isAccessDenied(error: unknown): boolean {
  return DENIED.has(errnoOf(error) ?? 0);
}

/** The server interrupted a SELECT that took longer than it may. */
export function isOutOfTime(error: unknown): boolean {
  return errnoOf(error) === EXECUTION_TIME_EXCEEDED;
}

export function isDataError(error: unknown): boolean {
  return DATA.has(errnoOf(error) ?? 0);
}

export function isTooLarge(error: unknown): boolean {
  return TOO_LARGE.has(errnoOf(error) ?? 0);
}

/** Space or memory of the server has run out. */
export function isExhausted(error: unknown): boolean {
  return EXHAUSTED.has(errnoOf(error) ?? 0);
}

/** The user may not do this with the table. */
export function isDenied(error: unknown): boolean {
  return errnoOf(error) === DENIED_ON_TABLE;
}

export function isSchemaError(error: unknown): boolean {
  return SCHEMA.has(errnoOf(error) ?? 0);
}

/** The server takes no more connections, of this user or at all. */
export function isFull(error: unknown): boolean {
  return FULL.has(errnoOf(error) ?? 0);
}

/** The driver gave up waiting for the answer; the server may be working on the statement still. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof Error && propertiesOf(error.cause ?? error)['code'] === 'PROTOCOL_SEQUENCE_TIMEOUT';
}

/**
 * Whether the connection is as good as before: the server answered, and what it said concerns the statement alone. After a
 * denial it is not, because a connection keeps most of the rights that its user had when it began.
 */
export function leavesConnectionUsable(error: unknown): boolean {
  const errno = errnoOf(error);
  if (errno === undefined) return false;
  const ofStatement = [LOCK_WAIT_TIMEOUT, DEADLOCK, DUPLICATE_KEY, EXECUTION_TIME_EXCEEDED].includes(errno);
  if (DENIED.has(errno) || OF_USER.has(errno)) return false;
  return ofStatement || ADVICE.has(errno) || BUGS.has(errno) || DATA.has(errno);
}

/**
 * Turns an error into an instruction. Only what is known to be our own mistake is one: a UserError where a person can
 * correct it, otherwise the error itself, a bug. Every other answer of the server, and no answer, is Unavailable, because a
 * worker that ends helps against nothing that the server may be in. The cause is kept: see the functions above.
 */
export function instructionOf(error: unknown): unknown {
  if (error instanceof Unavailable || error instanceof UserError) return error;
  const errno = errnoOf(error);
  if (errno === undefined) {
    const { code, message } = propertiesOf(error);
    // mysql2 has no code for connections that are closed already.
    const lost = typeof code === 'string' || (typeof message === 'string' && /closed state|is closed/i.test(message));
    return lost ? new Unavailable(`MySQL does not answer: ${reasonOf(error)}`, { cause: error }) : error;
  }
  const advice = ADVICE.get(errno);
  if (advice !== undefined) return new UserError(`MySQL: ${reasonOf(error)}. ${advice}`, { cause: error });
  if (BUGS.has(errno)) return error;
  return new Unavailable(`MySQL cannot do this now: ${reasonOf(error)} (error ${errno})`, { cause: error });
}

/**
 * The same of a statement that writes. Tables may have triggers of an application, which name and call what is not there, so none of
 * its answers is known to be our own mistake. @param patient of a process that runs on its own, for which a column that only a trigger
 * names would be ours: see `patientInstructionOf`
 */
export function instructionOfWrite(error: unknown, patient: boolean): unknown {
  const instruction = instructionOf(error);
  const errno = errnoOf(error);
  if (errno === undefined || instruction instanceof Unavailable) return instruction;
  if (instruction instanceof UserError && !(patient && errno === UNKNOWN_COLUMN)) return instruction;
  return new Unavailable(`MySQL cannot write this now: ${reasonOf(instruction)} (error ${errno})`, { cause: error });
}

/**
 * What `instructionOf` said, for a process that runs on its own: what a person can put right is waited for, with the advice in
 * the text. While a password is changed or a database restored, every new connection is refused, and to end would end all
 * workers at once. @param isOurs whether an unknown column is our own mistake
 */
export function patientInstructionOf(error: unknown, isOurs: boolean): unknown {
  const errno = errnoOf(error) ?? 0;
  if (!(error instanceof UserError) || !ADVICE.has(errno) || (isOurs && errno === UNKNOWN_COLUMN)) return error;
  return new Unavailable(error.message, { cause: error });
}

function propertiesOf(error: unknown): Readonly<Record<string, unknown>> {
  return typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {};
}
