import { hash } from 'node:crypto';
import { type GivenBackReason, isLate, type Settlement } from '../../../topology/message';
import { type ClientOperation, type Histories, type PlanChange, type ReceivedRequest } from './history';

/**
 * `fair`: what one account does makes no message of another late. `late`: nothing is sent after its time, and nothing given up before
 * it. `backlog`: what an outage has held up goes out in the order that the channel wants, and paced. The others are those of
 * docs/reliability.md.
 */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'fair' | 'late' | 'backlog';

export interface Violation {
  readonly invariant: Invariant;
  readonly id: number;
  readonly what: string;
}

type Judge = (of: Evidence) => Iterable<Violation>;

/**
 * Checks the invariants I1–I7 (docs/reliability.md) against three histories: what the clients asked and
 * what the answers were, what the receiver saw, and what the table and the ledger say. A pure function.
 */
export function judge(histories: Histories): Violation[] {
  const evidence = new Evidence(histories);
  return [lost, early, outdated, repeated, unordered, untrue, unfinished, unfair, untimely, oldestFirst].flatMap(
    (one: Judge) => [...one(evidence)],
  );
}

/** The histories by message. */
class Evidence {
  readonly rows;
  readonly operations: ReadonlyMap<number, readonly ClientOperation[]>;
  readonly requests: ReadonlyMap<number, readonly ReceivedRequest[]>;
  readonly plans: ReadonlyMap<number, readonly PlanChange[]>;
  readonly attempts;

  constructor(readonly histories: Histories) {
    const { clients, requests, table } = histories;
    this.rows = new Map(table.rows.map((row) => [row.id, row]));
    this.operations = byId(clients.flatMap((one) => (one.id === undefined ? [] : [{ ...one, id: one.id }])));
    this.requests = byId(requests.toSorted((a, b) => a.at - b.at));
    this.plans = byId(table.plans.toSorted((a, b) => a.committedAt - b.committedAt));
    this.attempts = byId(table.ledger);
  }

  canceledBy(id: number): ClientOperation | undefined {
    return this.operations.get(id)?.find(({ kind, result }) => kind === 'cancel' && result === 'ok');
  }

  /** The ledger's entry for a request: the attempt of that worker that began last before it. */
  attemptOf({ id, worker, at }: ReceivedRequest) {
    let found;
    for (const one of this.attempts.get(id) ?? []) {
      if (one.session !== worker || one.startedAt === null || one.startedAt > at) continue;
      if (found === undefined || one.startedAt > (found.startedAt ?? 0)) found = one;
    }
    return found;
  }
}

/** I1: every acknowledged insert that was not canceled ends delivered, failed or uncertain. */
function* lost(of: Evidence): Iterable<Violation> {
  for (const { kind, result, id } of of.histories.clients) {
    if (kind !== 'insert' || result !== 'ok' || id === undefined) continue;
    const state = of.rows.get(id)?.state ?? 'gone';
    if (['delivered', 'failed', 'uncertain'].includes(state)) continue;
    const asked = of.operations.get(id)?.some((one) => one.kind === 'cancel' && one.result !== 'refused');
    if (state === 'canceled' && asked === true) continue;
    yield { invariant: 'I1', id, what: `acknowledged, and in the end ${state}` };
  }
}

/** I2: no request before the wake of the plan that is in force. */
function* early(of: Evidence): Iterable<Violation> {
  for (const { id, at } of of.histories.requests) {
    const plan = of.plans.get(id)?.findLast(({ committedAt }) => committedAt <= at);
    if (plan?.wakeAt === undefined || plan.wakeAt === null || at >= plan.wakeAt) continue;
    yield { invariant: 'I2', id, what: `${plan.wakeAt - at} ms before the wake of version ${plan.version}` };
  }
}

/** I3: no request begins after a cancel was acknowledged, nor with old content after an edit was. */
function* outdated(of: Evidence): Iterable<Violation> {
  for (const [id, requests] of of.requests) {
    const cancel = of.canceledBy(id);
    const operations = of.operations.get(id) ?? [];
    for (const { at, content } of requests) {
      if (cancel !== undefined && at > cancel.endedAt) {
        yield { invariant: 'I3', id, what: `${at - cancel.endedAt} ms after its cancel was acknowledged` };
      }
      const source = operations.find((one) => one.content === content);
      const newer = operations.find(
        (one) => one.content !== undefined && one.result === 'ok' && at > one.endedAt && isNewer(one, source),
      );
      if (newer !== undefined) {
        yield {
          invariant: 'I3',
          id,
          what: `${content} ${at - newer.endedAt} ms after ${newer.content} was acknowledged`,
        };
      }
    }
  }
  yield* misquoted(of);
}

/** The ledger keeps version and content: one version of a message has one content, unless an application forgot the version. */
function* misquoted(of: Evidence): Iterable<Violation> {
  for (const [id, attempts] of of.attempts) {
    const overwritten = of.operations.get(id)?.some(({ kind }) => kind === 'overwrite') ?? false;
    for (const { kind, result, content, version } of of.operations.get(id) ?? []) {
      if (result !== 'ok' || content === undefined || version === undefined || overwritten || kind === 'cancel')
        continue;
      const wrong = attempts.find((one) => one.version === version && one.contentHash !== hashOf(content));
      if (wrong !== undefined) yield { invariant: 'I3', id, what: `version ${version} was sent with other content` };
    }
  }
}

/** The payload's text is the content. */
export function hashOf(content: string): string {
  return hash('sha256', content);
}

function isNewer(one: ClientOperation, than: ClientOperation | undefined): boolean {
  if (than === undefined || one === than) return false;
  if (one.version !== undefined && than.version !== undefined) return one.version > than.version;
  return than.endedAt < one.invokedAt;
}

/** An edit or redrive of a row that is not in doubt makes a plan under a key of its own. */
function isNewPlan({ kind, result }: ClientOperation): boolean {
  return (kind === 'edit' || kind === 'redrive') && result !== 'refused';
}

/** The ledger's clock counts milliseconds. */
const LEDGER_READ_MS = 2;

/** I4: at most one accepted; nothing is sent by the dead; requests are repeated only where that is explained, and on blind channels never. */
function* repeated(of: Evidence): Iterable<Violation> {
  const { classes, table } = of.histories;
  for (const [id, requests] of of.requests) {
    const accepted = requests.filter((one) => one.accepted).length;
    if (accepted > 1) yield { invariant: 'I4', id, what: `accepted ${accepted} times` };
    const edits = of.operations.get(id)?.filter(isNewPlan) ?? [];
    if (new Set(requests.map(({ key }) => key)).size > 1 + edits.length)
      yield { invariant: 'I4', id, what: 'under different keys' };
    const channelClass = classes[of.rows.get(id)?.channel ?? ''] ?? 'blind';
    for (const { worker, at } of requests) {
      const deadSince = table.markedDead.get(worker);
      if (deadSince !== undefined && at > deadSince) {
        yield { invariant: 'I4', id, what: `sent ${at - deadSince} ms after its worker was marked dead` };
      }
    }
    for (const request of requests.slice(0, -1)) {
      const attempt = of.attemptOf(request);
      const outcome = attempt?.outcome.kind;
      const next = of.plans.get(id)?.find(({ version }) => version === (attempt?.version ?? 0) + 1);
      if (outcome === 'delivered' && (next?.committedAt ?? 0) > (attempt?.recordedAt ?? 0) + LEDGER_READ_MS)
        yield { invariant: 'I4', id, what: 'sent again, though the ledger said that it was delivered' };
      if (outcome === 'retry' || outcome === 'unusable' || outcome === 'postponed') continue;
      if (channelClass === 'blind') {
        yield { invariant: 'I4', id, what: `sent again, blind, after ${outcome ?? 'an attempt without end'}` };
      } else if (outcome !== 'unknown' && !table.markedDead.has(request.worker) && !table.died.has(request.worker)) {
        yield {
          invariant: 'I4',
          id,
          what: `sent again after ${outcome ?? 'an attempt without end'} by a living worker`,
        };
      }
    }
  }
}

/** I5: first attempts of one account start in (wake, id) order, where nothing has disturbed it. */
function* unordered(of: Evidence): Iterable<Violation> {
  const { orderedBeyond } = of.histories;
  if (orderedBeyond === undefined) return;
  const last = new Map<string, { readonly wakeAt: number; readonly id: number }>();
  const started = new Set<number>();
  for (const { id, account, at } of of.histories.requests.toSorted((a, b) => a.at - b.at)) {
    if (started.has(id)) continue;
    started.add(id);
    // SQL that forgets the version changes the plan without a trace.
    if (of.operations.get(id)?.some(({ kind }) => kind === 'overwrite') === true) continue;
    const plan = of.plans.get(id)?.findLast(({ committedAt }) => committedAt <= at);
    if (plan === undefined || plan.wakeAt === null || plan.wakeAt - plan.committedAt <= orderedBeyond) continue;
    const line = `${account} ${of.rows.get(id)?.channel ?? ''}`;
    const before = last.get(line);
    if (before !== undefined && (plan.wakeAt < before.wakeAt || (plan.wakeAt === before.wakeAt && id < before.id))) {
      yield { invariant: 'I5', id, what: `after ${before.id}, which wakes later` };
    }
    last.set(line, { wakeAt: plan.wakeAt, id });
  }
}

/** I6: the row tells the truth. */
function* untrue(of: Evidence): Iterable<Violation> {
  for (const [id, row] of of.rows) {
    const accepted = of.requests.get(id)?.some((one) => one.accepted) ?? false;
    if (row.state === 'delivered' && !accepted) yield { invariant: 'I6', id, what: 'delivered, and never accepted' };
    if (accepted && row.state !== 'delivered' && row.state !== 'uncertain') {
      yield { invariant: 'I6', id, what: `accepted, and ${row.state}` };
    }
  }
  for (const [id] of of.requests)
    if (!of.rows.has(id)) yield { invariant: 'I6', id, what: 'sent, and not in the table' };
}

/** I7: after the faults everything comes to rest, and the counts agree. */
function* unfinished(of: Evidence): Iterable<Violation> {
  for (const [name, count] of Object.entries(of.histories.left)) {
    if (count !== 0) yield { invariant: 'I7', id: 0, what: `${name}: ${count}` };
  }
  for (const [id, { state }] of of.rows) {
    if (state === 'scheduled' || state === 'sending' || state === 'suspended')
      yield { invariant: 'I7', id, what: `still ${state}` };
  }
  const acknowledged = of.histories.clients.filter(({ kind, result }) => kind === 'insert' && result === 'ok').length;
  const doubtful = of.histories.clients.filter(({ kind, result }) => kind === 'insert' && result === 'unknown').length;
  if (of.rows.size < acknowledged || of.rows.size > acknowledged + doubtful) {
    yield {
      invariant: 'I7',
      id: 0,
      what: `${of.rows.size} rows for ${acknowledged} acknowledged inserts and ${doubtful} unknown`,
    };
  }
}

/** What one account does makes no other account's messages late, stops no group's offset, and fills no bolt beyond its bound. */
function* unfair(of: Evidence): Iterable<Violation> {
  const { fairness } = of.histories;
  if (fairness === undefined) return;
  for (const [id, [first]] of of.requests) {
    if (first === undefined || fairness.harmful.includes(of.rows.get(id)?.account ?? '')) continue;
    const plan = of.plans.get(id)?.findLast(({ committedAt }) => committedAt <= first.at);
    if (plan === undefined || plan.wakeAt === null) continue;
    const late = first.at - Math.max(plan.wakeAt, plan.committedAt);
    if (late > fairness.within) yield { invariant: 'fair', id, what: `${Math.round(late)} ms late` };
  }
  if (fairness.heldBytes > fairness.maxHeldBytes) {
    yield { invariant: 'fair', id: 0, what: `a bolt held ${fairness.heldBytes} bytes of ${fairness.maxHeldBytes}` };
  }
  for (const name of fairness.stuck) yield { invariant: 'fair', id: 0, what: `${name} stands still` };
}

/** A retry is planned so far ahead at most in these worlds, and the database's clock is known so well, milliseconds. */
const LONGEST_DELAY_MS = 5_000;
const CLOCK_MS = 1_000;

/** No request begins after the end of its plan's time, and none is given up before it unless a retry would be late. */
function* untimely(of: Evidence): Iterable<Violation> {
  for (const { id, at } of of.histories.requests) {
    const end = of.plans.get(id)?.findLast(({ committedAt }) => committedAt <= at)?.end;
    // The database's clock counts milliseconds.
    if (end !== undefined && Math.floor(at) > end)
      yield { invariant: 'late', id, what: `sent ${at - end} ms after its time` };
  }
  for (const { id, version, outcome, settlement, finishedAt } of of.histories.table.ledger) {
    if (!isLate(settlement)) continue;
    const end = of.plans.get(id)?.find((plan) => plan.version === version)?.end ?? Number.POSITIVE_INFINITY;
    if (finishedAt + (outcome.kind === 'late' ? CLOCK_MS : LONGEST_DELAY_MS) < end) {
      yield { invariant: 'late', id, what: `${settlement.state}, ${end - finishedAt} ms before the end of its time` };
    }
  }
}

/** What is overdue by more belongs to a backlog, and is put off by a part of that. */
const BACKLOG_MS = 60_000;
const BACKLOG_PART = 1 / 10;
/**
 * Messages of a backlog that were due within so long may leave in any order: their turns may be two rounds of reconcile apart, each of
 * which counts as much as eleven times its length between due times.
 */
const BACKLOG_GRAIN_MS = 30_000;

/** What an outage has held up is put off once, by a tenth of its lateness, so that of an account the newest goes first. */
function* oldestFirst(of: Evidence): Iterable<Violation> {
  const { newestFrom } = of.histories;
  if (newestFrom === undefined) return;
  const last = new Map<string, { readonly id: number; readonly dueAt: number }>();
  for (const { id, account, at } of firstRequests(of)) {
    const row = of.rows.get(id);
    const attempts = of.attempts.get(id) ?? [];
    if (row === undefined || row.dueAt < newestFrom) continue;
    const [turn, again] = attempts.filter(({ settlement }) => isPutOff(settlement)).map((one) => one.finishedAt);
    if (again !== undefined) yield { invariant: 'backlog', id, what: 'put off twice' };
    const version = of.plans.get(id)?.findLast(({ committedAt }) => committedAt <= at)?.version;
    if (turn === undefined) {
      const overdue = at - row.dueAt - CLOCK_MS;
      if (version === 1 && overdue > BACKLOG_MS) yield { invariant: 'backlog', id, what: 'sent before newer ones' };
      continue;
    }
    const paced = turn + (turn - row.dueAt) * BACKLOG_PART;
    if (at < paced - CLOCK_MS) yield { invariant: 'backlog', id, what: `${Math.round(paced - at)} ms too soon` };
    const line = `${account} ${row.channel}`;
    const before = last.get(line);
    if (before !== undefined && row.dueAt > before.dueAt + BACKLOG_GRAIN_MS) {
      yield {
        invariant: 'backlog',
        id,
        what: `after ${before.id}, which was due ${row.dueAt - before.dueAt} ms before`,
      };
    }
    if (before === undefined || row.dueAt < before.dueAt) last.set(line, { id, dueAt: row.dueAt });
  }
}

function isPutOff(settlement: Settlement): boolean {
  const reason: GivenBackReason = 'the newest of its backlog go first';
  return settlement.state === 'scheduled' && settlement.error === reason;
}

/** In the order in which they began. */
function firstRequests(of: Evidence): ReceivedRequest[] {
  const all = [...of.requests.values()].flatMap(([first]) => first ?? []);
  return all.toSorted((a, b) => a.at - b.at);
}

function byId<T extends { readonly id: number }>(all: readonly T[]): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const one of all) {
    const group = groups.get(one.id);
    if (group === undefined) groups.set(one.id, [one]);
    else group.push(one);
  }
  return groups;
}
