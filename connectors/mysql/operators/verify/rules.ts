import type { ChannelClass } from '../../../../topology/message';
import { BY_PERSON } from '../../schema/doubt';
import {
  type Invariant,
  isAlive,
  type Seen,
  type SeenAttempt,
  type SeenRow,
  type SeenSession,
  type Violation,
} from './seen';

/** What the rules need besides the message's own row and attempts. */
export interface Surroundings {
  /** By the database's clock, not before the rows were read. */
  readonly now: number;
  readonly sessions: ReadonlyMap<string, SeenSession>;
  /** Undefined when the class is not known; then repeated requests are not judged. */
  readonly classOf: (channel: string) => ChannelClass | undefined;
  /** For how long the provider de-duplicates by a key, milliseconds; for ever unless given. */
  readonly keyLifetimeOf?: (channel: string) => number | undefined;
  /** A spout and a bolt of the channel have lived for so many milliseconds, and nothing is paused. */
  readonly isTended: (row: SeenRow, since: number) => boolean;
  /** The row's account has been usable again for so many milliseconds, and its suspended messages are to be sent. */
  readonly isResuming?: (row: SeenRow, since: number) => boolean;
  /** How long after its wake a row of a tended channel may wait. */
  readonly patienceMs: number;
}

/** Outcomes of requests that the provider did not accept. */
const NOT_TAKEN: ReadonlySet<SeenAttempt['outcome']> = new Set(['retry', 'rejected', 'unusable', 'postponed', 'late']);

type Rule = (seen: Seen, around: Surroundings) => Iterable<Violation>;

/** More than the lease, the reconcile interval and the time for which an application may hold a row. */
const RECOVERED_WITHIN_MS = 60_000;
/** Two readings of a clock that belong to one transaction differ by less. */
const SAME_MOMENT_MS = 1_000;

/** The violations of I1–I4, I6 and I7 that the row and the ledger of one message show. A pure function. */
export function violationsOf(seen: Seen, around: Surroundings): Violation[] {
  return rules.flatMap((rule) => [...rule(seen, around)]);
}

/** I1: an open row is sent or recovered within the patience, and a suspended one resumed. */
function* standing({ row, attempts }: Seen, around: Surroundings): Iterable<Violation> {
  const { now, patienceMs, isTended, sessions } = around;
  if (row.wakeAt === null || !isTended(row, patienceMs)) return;
  const journaled = attempts.filter((attempt) => isOfItsClaim(row, attempt) && attempt.settled === 'delivered');
  const since = Math.max(row.wakeAt, row.updatedAt, ...journaled.map(({ recordedAt }) => recordedAt));
  if (now - since <= patienceMs) return;
  if (row.state === 'scheduled') yield breach('I1', row, `has waited for ${now - since} ms since its wake`);
  if (row.state === 'sending' && isAlive(sessions.get(row.session))) {
    yield breach('I1', row, `has been sending for ${now - since} ms, and its worker lives`);
  }
  if (row.state === 'suspended' && around.isResuming?.(row, patienceMs) === true) {
    yield breach('I1', row, 'is suspended, and its account can be used again');
  }
}

/** I2: by the wake of that attempt. */
function* early({ row, attempts }: Seen): Iterable<Violation> {
  for (const { version, startedAt, wakeAt } of attempts) {
    if (startedAt === null || startedAt >= wakeAt) continue;
    yield breach('I2', row, `version ${version} began ${wakeAt - startedAt} ms before its wake`);
  }
}

/** I3: no request after a cancel, none with other content than the plan's. */
function* outdated({ row, attempts }: Seen): Iterable<Violation> {
  for (const { version, startedAt, contentHash, recordedAt } of attempts) {
    if (startedAt === null) continue;
    if (row.state === 'canceled' && (version >= row.version || startedAt > row.updatedAt)) {
      yield breach('I3', row, `canceled, and version ${version} began ${startedAt - row.updatedAt} ms after that`);
    }
    // The row may have been changed after the message ended; then it is no plan any more.
    const isPlan = version === row.version && row.updatedAt <= recordedAt + SAME_MOMENT_MS;
    if (isPlan && row.state !== 'canceled' && contentHash !== row.payloadHash) {
      yield breach('I3', row, `version ${version} was sent with other content than the row's`);
    }
  }
}

/** I4: a request is repeated only where the ledger explains it, and a dead worker sends nothing. */
function* repeated({ row, attempts }: Seen, around: Surroundings): Iterable<Violation> {
  const { sessions } = around;
  const channelClass = around.classOf(row.channel);
  for (const { version, session, startedAt } of attempts) {
    const owner = sessions.get(session);
    if (owner === undefined || !owner.dead || startedAt === null || startedAt <= owner.leaseUntil) continue;
    const after = startedAt - owner.leaseUntil;
    yield breach('I4', row, `version ${version} began ${after} ms after the lease of its dead worker`);
  }
  for (const [index, attempt] of attempts.entries()) {
    const next = attempts[index + 1];
    if (next?.version === attempt.version && next.session !== BY_PERSON)
      yield breach('I4', row, `two workers have sent version ${next.version}`);
    if (attempt.startedAt === null || channelClass === undefined) continue;
    const later = attempts
      .slice(index + 1)
      .filter((one) => one.startedAt !== null && one.version > attempt.version && isOnePlan(row, attempt, one));
    if (later.length === 0) continue;
    const alive = isAlive(sessions.get(attempt.session));
    const keyLifetimeMs = around.keyLifetimeOf?.(row.channel) ?? Number.POSITIVE_INFINITY;
    const since = attempt.startedAt;
    const isNew = (one: SeenAttempt) => channelClass === 'lookup' || (one.startedAt ?? since) - since > keyLifetimeMs;
    const isTwice = later.some((one) => one.outcome === 'delivered' && isNew(one));
    const reason = unexplained(attempt, isTwice, channelClass, isByPerson(attempts, attempt, later[0]), alive);
    if (reason !== undefined) yield breach('I4', row, `version ${attempt.version} ${reason}`);
  }
}

/** Whether both attempts are known to belong to one plan: where plans before the last one began is not known. */
function isOnePlan({ planNumber, planVersion }: SeenRow, one: SeenAttempt, later: SeenAttempt): boolean {
  return one.version >= planVersion || (later.version < planVersion && planNumber <= 2);
}

/** Whether a person decided, after the one attempt, that the other be made. */
function isByPerson(attempts: readonly SeenAttempt[], one: SeenAttempt, other: SeenAttempt | undefined): boolean {
  const until = other?.version ?? 0;
  return attempts.some(({ session, version }) => session === BY_PERSON && version >= one.version && version < until);
}

/**
 * Why an attempt should not have been followed by others; undefined when it may be.
 * @param isTwice a later one was delivered, and the provider could not know that it is the same
 */
function unexplained(
  attempt: SeenAttempt,
  isTwice: boolean,
  channelClass: ChannelClass,
  byPerson: boolean,
  alive: boolean,
): string | undefined {
  if (byPerson || NOT_TAKEN.has(attempt.outcome)) return undefined;
  if (channelClass === 'blind') return `was ${attempt.outcome}, and was sent again without a person`;
  if (attempt.outcome === 'unknown') return undefined;
  if (alive) return 'was delivered, and was sent again though its worker lives';
  return isTwice ? 'was delivered, and delivered again' : undefined;
}

/** I6: the row tells the truth. */
function* untrue(seen: Seen, around: Surroundings): Iterable<Violation> {
  const { row, attempts } = seen;
  if (row.state === 'delivered') yield* falselyDelivered(row, attempts);
  else if (
    attempts.some(
      (attempt) =>
        attempt.settled === 'delivered' && attempt.version >= row.planVersion && !isJournaled(row, attempt, around),
    )
  )
    yield breach('I6', row, `${row.state}, though an attempt was delivered`);
  const says = attempts.some(({ settled, version }) => settled === 'failed' && version === row.version);
  if (row.state === 'failed' && !says) {
    yield breach('I6', row, 'failed, and no attempt says so');
  }
  if ((row.state === 'uncertain') !== row.inDoubt && ['uncertain', 'failed', 'canceled', 'late'].includes(row.state)) {
    yield breach('I6', row, `${row.state}, and ${row.inDoubt ? '' : 'not '}in doubt`);
  }
  if (row.state === 'sending') yield* abandoned(row, around);
  const last = attempts.at(-1);
  if (last !== undefined && contradicts(row, last) && !isJournaled(row, last, around)) {
    const ended = `version ${last.version} ended ${last.settled}`;
    yield breach('I6', row, `${row.state} in version ${row.version}, though ${ended}`);
  }
}

function isOfItsClaim(row: SeenRow, { version, session }: SeenAttempt): boolean {
  return row.state === 'sending' && version === row.version && session === row.session;
}

/**
 * In a crowd the ledger has an outcome before its row, on idempotent channels. If the worker dies and its row is recovered before that
 * is seen, the row is in doubt, and the message sent again with the same key.
 */
function isJournaled(row: SeenRow, attempt: SeenAttempt, { classOf, sessions }: Surroundings): boolean {
  if (attempt.settled !== 'delivered' || (classOf(row.channel) ?? 'idempotent') !== 'idempotent') return false;
  if (isOfItsClaim(row, attempt)) return true;
  const isOpen = row.state === 'scheduled' || row.state === 'sending';
  return isOpen && row.inDoubt && attempt.version < row.version && !isAlive(sessions.get(attempt.session));
}

function* falselyDelivered(row: SeenRow, attempts: readonly SeenAttempt[]): Iterable<Violation> {
  const delivered = attempts.filter(({ settled }) => settled === 'delivered');
  if (delivered.length === 0) {
    yield breach('I6', row, 'delivered, and no attempt says so');
    return;
  }
  const at = row.deliveredAt ?? Number.NaN;
  const recorded = delivered.some(
    // A person may know of a time that no worker saw.
    ({ session, finishedAt, receipt }) => receipt === row.receipt && (session === BY_PERSON || isNear(at, finishedAt)),
  );
  if (!recorded) yield breach('I6', row, 'delivered at a time or with a receipt that no attempt tells of');
}

/** A process may be stopped between two readings of the clock, but hardly for a minute. */
function isNear(one: number, other: number): boolean {
  return Math.abs(one - other) <= 60_000;
}

function* abandoned(row: SeenRow, { now, sessions, isTended }: Surroundings): Iterable<Violation> {
  const owner = sessions.get(row.session);
  const since = owner === undefined ? row.updatedAt : Math.max(owner.leaseUntil, row.updatedAt);
  if (now - since <= RECOVERED_WITHIN_MS || !isTended(row, RECOVERED_WITHIN_MS)) return;
  const whose = owner === undefined ? 'a worker that is not registered' : 'a worker whose lease has run out';
  yield breach('I6', row, `has been sending for ${now - since} ms by ${whose}`);
}

/** The last attempt is written together with what it makes of the row. */
function contradicts(row: SeenRow, { version, settled }: SeenAttempt): boolean {
  if (row.state === 'canceled') return false;
  if (version > row.version) return true;
  if (version < row.version) return false;
  // A retry makes a new version; a late answer may settle a row that was uncertain.
  return settled === 'scheduled' || (settled !== row.state && row.state !== 'delivered');
}

/** I7: the counts agree. */
function* miscounted({ row }: Seen): Iterable<Violation> {
  if (row.attempts > row.version) {
    yield breach('I7', row, `${row.attempts} attempts, and no more than ${row.version} versions to claim`);
  }
  if (row.state === 'sending' && row.attempts === 0) yield breach('I7', row, 'sending, and no attempt is counted');
}

const rules: readonly Rule[] = [standing, early, outdated, repeated, untrue, miscounted];

function breach(invariant: Invariant, { id }: SeenRow, reason: string): Violation {
  return { invariant, id, reason };
}
