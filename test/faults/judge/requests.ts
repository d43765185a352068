import { type Violation } from '../../../connectors/mysql/operators/verify/seen';
import { BY_PERSON } from '../../../connectors/mysql/schema/doubt';
import type { Evidence } from './evidence';
import type { ReceivedRequest } from './history';

/** The ledger has a lower bound of the time at which an attempt ended, so its own request may have arrived so much later. */
const BOUND_MS = 100;

/** I2: no request before the due time that a client gave, nor between an attempt that failed and the wake of the next. */
export function* early(of: Evidence): Iterable<Violation> {
  for (const [id, requests] of of.requests) {
    const attempts = of.attemptsOf(id);
    for (const [before, { at }] of requests.entries()) {
      const dues = of.inForce(id, 'dueAt', at).map(({ dueAt }) => dueAt as number);
      const due = Math.min(...dues);
      if (dues.length > 0 && at < due)
        yield { invariant: 'I2', id, reason: `arrived ${due - at} ms before it was due` };
      for (const [index, { version, outcome, finishedAt }] of attempts.entries()) {
        const next = attempts[index + 1];
        // What was not answered may still be on its way.
        if (outcome !== 'retry' || next?.version !== version + 1) continue;
        if (at <= finishedAt + BOUND_MS || at >= next.wakeAt) continue;
        // Nor need an earlier one that was not answered have arrived by then.
        const made = attempts.slice(0, index + 1).filter(({ startedAt }) => startedAt !== null).length;
        if (before < made) continue;
        yield {
          invariant: 'I2',
          id,
          reason: `arrived ${next.wakeAt - at} ms before the wake of version ${next.version}`,
        };
      }
    }
  }
}

/** I3: no request after a cancel was acknowledged, nor with old content after an edit was. */
export function* outdated(of: Evidence): Iterable<Violation> {
  for (const [id, requests] of of.requests) {
    const canceledAt = of.canceledAt(id) ?? Number.POSITIVE_INFINITY;
    for (const { at, content } of requests) {
      if (at > canceledAt) {
        yield { invariant: 'I3', id, reason: `arrived ${at - canceledAt} ms after its cancel was acknowledged` };
      }
      const plans = of.inForce(id, 'content', at);
      if (plans.length === 0 || plans.some((plan) => plan.content === content)) continue;
      yield { invariant: 'I3', id, reason: `arrived with content that no plan in force has: ${content.slice(0, 80)}` };
    }
  }
}

/** I4: accepted once, and every request is explained: by an attempt in the ledger, or by a death. */
export function* repeated(of: Evidence): Iterable<Violation> {
  for (const [id, requests] of of.requests) {
    const accepted = requests.filter((one) => one.accepted).length;
    if (accepted > 1) yield { invariant: 'I4', id, reason: `accepted ${accepted} times` };
    const keys = new Set(requests.map(({ key }) => key)).size;
    const edits = of.operationsOn(id).filter(({ kind, result }) => kind === 'edit' && result !== 'fail').length;
    // Every edit makes another plan, which is another message for the receiver.
    if (keys > 1 + edits) yield { invariant: 'I4', id, reason: `sent under ${keys} keys, and edited ${edits} times` };
    const allowed = allowedRequests(of, id, requests);
    // One request is no repetition, even if the ledger does not have it.
    if (requests.length > Math.max(1, allowed)) {
      yield { invariant: 'I4', id, reason: `${requests.length} requests, and the ledger explains ${allowed}` };
    }
  }
}

function isRefused(outcome: string): boolean {
  return outcome === 'retry' || outcome === 'unusable' || outcome === 'postponed';
}

function allowedRequests(of: Evidence, id: number, requests: readonly ReceivedRequest[]): number {
  const row = of.rows.get(id);
  if (row === undefined) return requests.length;
  const attempts = of.attemptsOf(id);
  const made = attempts.filter(({ startedAt }) => startedAt !== null).length;
  const deaths = of.histories.table.sessions.some(({ dead, left }) => dead && !left);
  // A claim whose worker died has a version and no entry.
  const unwritten = deaths ? Math.max(0, row.version - new Set(attempts.map(({ version }) => version)).size) : 0;
  if (of.histories.classes[row.channel] !== 'blind') return made + unwritten;
  const again = attempts.filter(({ startedAt, outcome }) => startedAt !== null && isRefused(outcome)).length;
  const byPerson = attempts.filter(({ session }) => session === BY_PERSON).length;
  return Math.min(made + unwritten, 1 + again + byPerson);
}
