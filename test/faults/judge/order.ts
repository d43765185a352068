import type { Violation } from '../../../connectors/mysql/operators/verify/seen';
import type { Evidence } from './evidence';

interface First {
  readonly id: number;
  readonly wakeAt: number;
  readonly startedAt: number;
}

/**
 * I5: first attempts of one account start in the order of (wake, id), where nothing disturbed it: messages planned long
 * enough ahead, never changed, by one worker.
 */
export function* unordered(of: Evidence): Iterable<Violation> {
  const { clients, orderedBeyond } = of.histories;
  if (orderedBeyond === undefined) return;
  const lines = new Map<string, First[]>();
  for (const { kind, result, id, dueAt = 0, endedAt } of clients) {
    if (kind !== 'schedule' || result !== 'ok' || id === undefined || dueAt - endedAt <= orderedBeyond) continue;
    if (of.operationsOn(id).length > 1) continue;
    const row = of.rows.get(id);
    const first = of.attemptsOf(id)[0];
    if (row === undefined || first === undefined || first.version !== 1 || first.startedAt === null) continue;
    const line = JSON.stringify([row.channel, row.account, first.session]);
    const { wakeAt, startedAt } = first;
    const others = lines.get(line) ?? [];
    lines.set(line, others);
    others.push({ id, wakeAt, startedAt });
  }
  for (const line of lines.values()) yield* outOfOrder(line);
}

function* outOfOrder(line: readonly First[]): Iterable<Violation> {
  let latest: First | undefined;
  for (const one of line.toSorted((a, b) => a.wakeAt - b.wakeAt || a.id - b.id)) {
    if (latest !== undefined && one.startedAt < latest.startedAt) {
      const [after, late] = [latest.startedAt - one.startedAt, latest.startedAt - latest.wakeAt];
      const reason = `began ${after} ms after ${one.id}, which wakes later, and ${late} ms after its wake`;
      yield { invariant: 'I5', id: latest.id, reason };
    }
    if (latest === undefined || one.startedAt > latest.startedAt) latest = one;
  }
}
