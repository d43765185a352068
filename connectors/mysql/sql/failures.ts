import { reasonOf, Unavailable, UserError } from '../../../topology/core/errors';

const LOCK_WAIT_TIMEOUT = 1205;
const DEADLOCK = 1213;
export const DUPLICATE_KEY = 1062;

/** The server answered that it cannot work now: it is full, stopping, or read-only because it is not the active one. */
const AWAY = new Set([
  1021, // disk full
  1026, // error writing a file
  1040, // too many connections
  1053, // shutdown in progress
  1114, // table full
  1129, // host blocked after too many errors
  1203, // too many connections of this user
  1290, // running with --super-read-only
  1317, // query interrupted
  1836, // read-only mode
  3024, // execution time exceeded
  3032, // offline mode
  3100, // a hook of replication refused the commit
]);

/** What a person can do about an error that does not go away by itself. */
const ADVICE = new Map([
  [1044, 'Give the user of the connection URL rights on the database: run `downspout migrate`.'],
  [1045, 'Check the user and password of the connection URL.'],
  [1049, 'Create the database: run `downspout migrate`.'],
  [1054, 'The schema is not up to date: run `downspout migrate`.'],
  [1130, 'The server does not let this machine in.'],
  [1142, 'Give the user of the connection URL rights on the table: run `downspout migrate`.'],
  [1143, 'Give the user of the connection URL rights on the column: run `downspout migrate`.'],
  [1146, 'Create the tables: run `downspout migrate`.'],
]);

/** The server's error number; undefined when the server did not answer with an error. */
export function errnoOf(error: unknown): number | undefined {
  const { errno, sqlState } = propertiesOf(error);
  return typeof errno === 'number' && errno > 0 && typeof sqlState === 'string' ? errno : undefined;
}

export function isLockWaitTimeout(error: unknown): boolean {
  return errnoOf(error) === LOCK_WAIT_TIMEOUT;
}

export function isDeadlock(error: unknown): boolean {
  return errnoOf(error) === DEADLOCK;
}

/**
 * Turns an error into an instruction: Unavailable when the server is away or did not answer in time, UserError when the
 * URL or the schema is wrong. Every other error stays as it is: it concerns the statement, or it is a bug.
 */
export function instructionOf(error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) {
    const { code, message } = propertiesOf(error);
    // mysql2 has no code for connections that are closed already.
    const lost = typeof code === 'string' || (typeof message === 'string' && /closed state|is closed/i.test(message));
    return lost ? new Unavailable(`MySQL does not answer: ${reasonOf(error)}`) : error;
  }
  if (AWAY.has(errno)) return new Unavailable(`MySQL cannot work now: ${reasonOf(error)}`);
  const advice = ADVICE.get(errno);
  return advice === undefined ? error : new UserError(`MySQL: ${reasonOf(error)}. ${advice}`);
}

function propertiesOf(error: unknown): Readonly<Record<string, unknown>> {
  return typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {};
}
