import type { AttemptResult, SendRows } from '../../bolts/send-rows';
import type { OpenRows } from '../../spouts/open-rows';
import { PartlyClaimed } from '../../topology/core/errors';
import { isLate, type Settlement } from '../../topology/message';
import type { Log } from '../../topology/runtime/log';
import type { Observer } from '../../topology/runtime/observe';
import { SPOUT } from '../../topology/streams';

/** Counts claims and attempts by what came of them, and logs every attempt that did not deliver, with the message's id. */
export function observedSendRows(channel: string, rows: SendRows, observer: Observer): SendRows {
  const { metrics, log } = observer;
  // Otherwise the first of them would be no increase: a series that begins with a number has risen by nothing.
  for (const state of ['late', 'skipped']) metrics.settled.inc({ channel, state }, 0);
  /** Nearly all of a batch have the same labels, and a figure is found by a text that is made of them. */
  const settled = (results: readonly AttemptResult[]) => {
    const outcomes = countedBy(results, ({ outcome }) => outcome.kind);
    for (const [outcome, count] of outcomes) metrics.attempts.inc({ channel, outcome }, count);
    const states = countedBy(results, ({ settlement }) => nameOf(settlement));
    for (const [state, count] of states) metrics.settled.inc({ channel, state }, count);
  };
  const written = (results: readonly AttemptResult[]) => {
    settled(results);
    for (const result of results) {
      const { outcome, wakeAt, dueAt, finishedAt } = result;
      if (outcome.kind === 'delivered') {
        metrics.lateness.observe({ channel }, Math.max(0, finishedAt - wakeAt) / 1_000);
        metrics.afterDue.observe({ channel }, Math.max(0, finishedAt - dueAt) / 1_000);
      }
      tell(log, result);
    }
  };
  /** They are counted when the ledger has them, and not again with their rows. */
  const journaled = new WeakSet<AttemptResult>();
  return {
    read: (ids, maxPayloadBytes) => timed('read', observer, () => rows.read(ids, maxPayloadBytes)),
    async claim(session, claimed, ahead) {
      const count = (won: number) => {
        metrics.claims.inc({ channel, result: 'won' }, won);
        metrics.claims.inc({ channel, result: 'lost' }, claimed.length - won);
      };
      try {
        const won = await timed('claim', observer, () => rows.claim(session, claimed, ahead));
        count(won);
        return won;
      } catch (error) {
        if (error instanceof PartlyClaimed) count(error.won);
        throw error;
      }
    },
    async settleUnclaimed(session, results) {
      const ended = await timed('settle_unclaimed', observer, () => rows.settleUnclaimed(session, results));
      const ids = new Set(ended);
      const over = results.filter(({ id }) => ids.has(id));
      settled(over);
      for (const result of over) tell(log, result);
      return ended;
    },
    async writeBack(session, results) {
      const unwritten = await timed('write_back', observer, () => rows.writeBack(session, results));
      const refused = new Set(unwritten.map(({ id }) => id));
      for (const { again } of unwritten) metrics.unwritten.inc({ channel, result: again ? 'again' : 'refused' });
      written(results.filter((result) => !refused.has(result.id) && !journaled.has(result)));
      return unwritten;
    },
    async journal(session, results) {
      await timed('journal', observer, () => rows.journal(session, results));
      for (const result of results) journaled.add(result);
      written(results);
    },
    async writeAlone(session, result, release) {
      const verdict = await timed('write_alone', observer, () => rows.writeAlone(session, result, release));
      if (verdict === 'written' && !journaled.has(result)) written([result]);
      if (verdict !== 'written') metrics.unwritten.inc({ channel, result: verdict });
      const { id, version } = result;
      const how = release?.keepsDoubt === true ? 'released' : 'released in doubt';
      if (verdict === 'released') log.warn({ message: id, version, reason: release?.reason }, how);
      return verdict;
    },
    kept: (id, planNumber) => timed('kept', observer, () => rows.kept(id, planNumber)),
    keep: (session, row, kept) => timed('keep', observer, () => rows.keep(session, row, kept)),
  };
}

/** Counts the rows that reconciling schedules again. */
export function observedOpenRows(rows: OpenRows, observer: Observer): OpenRows {
  const { metrics, log } = observer;
  return {
    page: (channel, cursors, below, limit) => timed('page', observer, () => rows.page(channel, cursors, below, limit)),
    leasesOf: (...query) => timed('leases_of', observer, () => rows.leasesOf(...query)),
    markDead: (leases) => timed('mark_dead', observer, () => rows.markDead(leases)),
    async recover(lost, delayMs) {
      const recovery = await timed('recover', observer, () => rows.recover(lost, delayMs));
      const { recovered, delivered } = recovery;
      metrics.recovered.inc(recovered);
      if (delivered > 0)
        log.info({ component: SPOUT, delivered }, 'messages of dead workers are delivered, as the ledger says');
      if (recovered > 0) log.warn({ component: SPOUT, recovered }, 'messages of dead workers are scheduled again');
      return recovery;
    },
  };
}

function countedBy<Row, Label>(rows: readonly Row[], labelOf: (row: Row) => Label): ReadonlyMap<Label, number> {
  const counts = new Map<Label, number>();
  for (const row of rows) {
    const label = labelOf(row);
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return counts;
}

/** The state as it is counted. */
function nameOf(settlement: Settlement): string {
  return isLate(settlement) && settlement.state === 'failed' ? 'skipped' : settlement.state;
}

function tell(log: Log, { id, version, outcome, settlement }: AttemptResult): void {
  if (outcome.kind === 'delivered') {
    if (log.isLevelEnabled('debug')) log.debug({ message: id, version, status: outcome.status }, 'delivered');
    return;
  }
  const details = { message: id, version, outcome: outcome.kind, state: settlement.state, status: outcome.status };
  // Of a suspended account a person is warned once, and not for each of its messages. What was late is counted, and may be a backlog.
  const { state } = settlement;
  const level = state === 'scheduled' || state === 'suspended' || isLate(settlement) ? 'info' : 'warn';
  log[level]({ ...details, reason: outcome.reason }, 'not delivered');
}

async function timed<T>(operation: string, { metrics, clock }: Observer, work: () => Promise<T>): Promise<T> {
  const begun = clock.monotonic();
  try {
    return await work();
  } finally {
    metrics.databaseSeconds.observe({ operation }, (clock.monotonic() - begun) / 1_000);
  }
}
