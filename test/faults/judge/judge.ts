import { type Surroundings, violationsOf } from '../../../connectors/mysql/operators/verify/rules';
import { type Invariant, type Violation } from '../../../connectors/mysql/operators/verify/seen';
import { BY_PERSON } from '../../../connectors/mysql/schema/doubt';
import { Evidence } from './evidence';
import type { Histories } from './history';
import { unordered } from './order';
import { early, outdated, repeated } from './requests';

/**
 * Checks the invariants I1–I7 (docs/reliability.md) against three histories, when the faults are over and everything is at rest: what the
 * clients asked and what the answers were, what the receiver saw, and what the table and the ledger say in the end. A pure
 * function.
 */
export function judge(histories: Histories): Violation[] {
  const of = new Evidence(histories);
  const found = [lost, early, outdated, repeated, unordered, untrue, unfinished].flatMap((one) => [...one(of)]);
  return [...byTheTable(of), ...found];
}

/** What the table alone shows. That rows are left open is for I7 to say. */
function byTheTable(of: Evidence): Violation[] {
  const { table, classes } = of.histories;
  const around: Surroundings = {
    now: table.now,
    sessions: of.sessions,
    classOf: (channel) => classes[channel],
    isTended: () => false,
    patienceMs: 0,
  };
  return table.rows.flatMap((row) => violationsOf({ row, attempts: of.attemptsOf(row.id) }, around));
}

/** I1: every acknowledged message that was not canceled ends delivered, failed or uncertain. */
function* lost(of: Evidence): Iterable<Violation> {
  for (const { kind, result, id, content } of of.histories.clients) {
    if (kind !== 'schedule' || result !== 'ok' || id !== undefined) continue;
    yield { invariant: 'I1', id: null, reason: `acknowledged, and gone: ${content}` };
  }
  for (const id of of.acknowledged) {
    const row = of.rows.get(id);
    if (row === undefined) yield breach('I1', id, 'acknowledged, and gone');
    else if (
      row.state === 'canceled' &&
      !of.operationsOn(id).some(({ kind, result }) => kind === 'cancel' && result !== 'fail')
    ) {
      yield breach('I1', id, 'canceled, and no client asked for that');
    }
  }
}

/** I6: delivered is accepted, accepted is delivered, and canceled is canceled. */
function* untrue(of: Evidence): Iterable<Violation> {
  for (const [id, { state }] of of.rows) {
    const accepted = of.requestsFor(id).some((one) => one.accepted);
    const byPerson = of.attemptsOf(id).some(({ session, settled }) => session === BY_PERSON && settled === 'delivered');
    if (state === 'delivered' && !accepted && !byPerson) yield breach('I6', id, 'delivered, and never accepted');
    if (accepted && (state === 'failed' || state === 'canceled')) yield breach('I6', id, `accepted, and ${state}`);
    const ended = state === 'delivered' || state === 'failed' || state === 'uncertain';
    if (ended && of.canceledAt(id) !== undefined)
      yield breach('I6', id, `its cancel was acknowledged, and it is ${state}`);
  }
  for (const [id, requests] of of.requests) {
    if (!of.rows.has(id) && !of.acknowledged.has(id))
      yield breach('I6', id, `${requests.length} requests, and not in the table`);
  }
}

/** I7: everything has come to rest, and the counts agree. */
function* unfinished(of: Evidence): Iterable<Violation> {
  for (const [name, count] of Object.entries(of.histories.left ?? {})) {
    if (count !== 0) yield { invariant: 'I7', id: null, reason: `${name}: ${count}` };
  }
  for (const [id, { state }] of of.rows) {
    if (['scheduled', 'sending', 'suspended', 'late'].includes(state)) yield breach('I7', id, `still ${state}`);
  }
  const doubtful = of.histories.clients.filter(
    ({ kind, result }) => kind === 'schedule' && result === 'unknown',
  ).length;
  const strangers = [...of.rows.keys()].filter((id) => !of.acknowledged.has(id)).length;
  if (strangers > doubtful) {
    const reason = `${strangers} rows that no answer named, and ${doubtful} schedules without an answer`;
    yield { invariant: 'I7', id: null, reason };
  }
}

function breach(invariant: Invariant, id: number, reason: string): Violation {
  return { invariant, id, reason };
}
