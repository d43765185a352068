import type { MessageState } from '../../topology/message';

/** One plan of a message as the application was told it. Times are epoch milliseconds. */
export interface ToldPlan {
  readonly revision: number;
  readonly dueAt: number;
  /** When the answer was in: from then on nothing older may be sent. */
  readonly acknowledgedAt: number;
}

/** What the application was told about a message: its plans in order, and when a cancel was acknowledged. */
export interface Told {
  readonly key: string;
  readonly channel: string;
  readonly account: string;
  readonly plans: readonly ToldPlan[];
  readonly canceledAt: number | null;
}

/** One request as it reached the outside world. */
export interface Arrival {
  readonly key: string;
  readonly revision: number;
  /** Epoch milliseconds. */
  readonly at: number;
  /** The receiver took it: the first of its idempotency key that it answered with 2xx. */
  readonly accepted: boolean;
}

/** What the table says at the end. */
export interface FinalRow {
  readonly key: string;
  readonly state: MessageState;
  readonly inDoubt: boolean;
}

/** Each figure counts messages. All but the first four must be 0. */
export interface DemoVerdict {
  readonly told: number;
  readonly canceled: number;
  readonly acceptedOnce: number;
  /** Asked for again because a death or a lost answer had left doubt; the receiver recognised them. */
  readonly repeatedInDoubt: number;
  readonly lost: number;
  readonly duplicates: number;
  /** Requests beyond the first that no row in doubt explains. */
  readonly repeatedWithoutDoubt: number;
  readonly early: number;
  readonly afterCancel: number;
  readonly oldContent: number;
  /** Accepted after a message of their account that was due later. */
  readonly unordered: number;
  /** Requests for messages that nobody scheduled. */
  readonly strangers: number;
  /** The row does not say what the receiver saw, or what the application was told. */
  readonly tableDisagrees: number;
  /** True when every message was accepted once or canceled, and nothing else happened. */
  readonly holds: boolean;
  /** One line per violation, the first few of each kind. */
  readonly examples: readonly string[];
  /** Messages that were accepted, each once. */
  readonly deliveries: readonly Delivered[];
}

/** A message as it was accepted. Times are epoch milliseconds. */
export interface Delivered {
  readonly channel: string;
  /** By the plan that was accepted. */
  readonly dueAt: number;
  readonly at: number;
}

/** A message and how it was accepted. */
interface Accepted extends Delivered {
  readonly message: Told;
  readonly plan: ToldPlan;
}

const EXAMPLES_PER_KIND = 3;
/** Requests of one account are under way at the same time, so what was due within so long may come in any order. */
const OVERTAKING_MS = 1_000;

/**
 * Compares three witnesses: what the application was told, what the receiver and the providers saw, and what the table says. All of
 * them must read the same clock.
 * @param orderedAheadMs the order of an account's messages is promised to those that were planned for longer ahead; null where it is
 * promised to none, because a worker died
 */
export function judge(
  told: readonly Told[],
  arrivals: readonly Arrival[],
  rows: readonly FinalRow[],
  orderedAheadMs: number | null,
): DemoVerdict {
  const found = new Findings();
  const arrivalsOf = groupByKey(arrivals);
  const rowOf = new Map(rows.map((row) => [row.key, row]));
  const deliveries: Accepted[] = [];
  let canceled = 0;
  let acceptedOnce = 0;
  let repeatedInDoubt = 0;

  for (const message of told) {
    const requests = arrivalsOf.get(message.key) ?? [];
    arrivalsOf.delete(message.key);
    const accepted = requests.filter((request) => request.accepted);
    const row = rowOf.get(message.key);
    const wasCanceled = message.canceledAt !== null;
    if (wasCanceled) canceled += 1;
    else if (accepted.length === 0)
      found.add('lost', message.key, `never accepted; its row is ${row?.state ?? 'gone'}`);
    else if (accepted.length === 1) acceptedOnce += 1;
    if (accepted.length > 1) found.add('duplicates', message.key, `accepted ${accepted.length} times`);
    if (requests.length > 1 && row?.inDoubt === true) repeatedInDoubt += 1;
    else if (requests.length > 1) {
      found.add('repeatedWithoutDoubt', message.key, `${requests.length} requests and no doubt in its row`);
    }
    judgeRequests(message, requests, found);
    judgeRow(message, accepted.length > 0, row, found);
    const first = accepted[0];
    const plan = first === undefined ? undefined : planOf(message, first.revision);
    if (first === undefined || plan === undefined) continue;
    deliveries.push({ channel: message.channel, dueAt: plan.dueAt, at: first.at, message, plan });
  }
  if (orderedAheadMs !== null) {
    const isPromised = ({ message: { key }, plan: { dueAt, acknowledgedAt } }: Accepted) =>
      dueAt - acknowledgedAt > orderedAheadMs && rowOf.get(key)?.inDoubt !== true;
    judgeOrder(deliveries.filter(isPromised), found);
  }
  for (const [key, requests] of arrivalsOf) found.add('strangers', key, `${requests.length} requests, never scheduled`);
  return {
    told: told.length,
    canceled,
    acceptedOnce,
    repeatedInDoubt,
    ...found.counts,
    holds: found.none,
    examples: found.examples,
    deliveries: deliveries.map(({ channel, dueAt, at }) => ({ channel, dueAt, at })),
  };
}

function judgeRequests(message: Told, requests: readonly Arrival[], found: Findings): void {
  for (const request of requests) {
    const plan = planOf(message, request.revision);
    if (plan === undefined) found.add('oldContent', message.key, `revision ${request.revision} was never acknowledged`);
    else if (request.at < plan.dueAt) found.add('early', message.key, `${plan.dueAt - request.at} ms before its time`);
    const newer = message.plans.find((one) => one.revision > request.revision && one.acknowledgedAt < request.at);
    if (newer !== undefined) {
      const after = request.at - newer.acknowledgedAt;
      found.add(
        'oldContent',
        message.key,
        `revision ${request.revision} sent ${after} ms after revision ${newer.revision}`,
      );
    }
    if (message.canceledAt !== null && request.at > message.canceledAt) {
      found.add(
        'afterCancel',
        message.key,
        `sent ${request.at - message.canceledAt} ms after its cancel was acknowledged`,
      );
    }
  }
}

function judgeRow(message: Told, accepted: boolean, row: FinalRow | undefined, found: Findings): void {
  const wanted: MessageState = message.canceledAt === null ? 'delivered' : 'canceled';
  const truth = row !== undefined && row.state === wanted && accepted === (row.state === 'delivered');
  if (truth) return;
  const seen = accepted ? 'accepted' : 'not accepted';
  const heard = message.canceledAt === null ? 'planned' : 'canceled';
  found.add(
    'tableDisagrees',
    message.key,
    `its row says ${row?.state ?? 'nothing'}; ${seen} by the receiver, ${heard} for the application`,
  );
}

function judgeOrder(deliveries: readonly Accepted[], found: Findings): void {
  const latest = new Map<string, Accepted>();
  for (const one of deliveries.toSorted((a, b) => a.at - b.at)) {
    const line = `${one.channel} ${one.message.account}`;
    const before = latest.get(line);
    if (before !== undefined && one.dueAt + OVERTAKING_MS < before.dueAt) {
      const later = `${before.dueAt - one.dueAt} ms later`;
      found.add('unordered', one.message.key, `accepted after ${before.message.key}, which was due ${later}`);
    }
    if (before === undefined || one.dueAt > before.dueAt) latest.set(line, one);
  }
}

function planOf(message: Told, revision: number): ToldPlan | undefined {
  return message.plans.find((plan) => plan.revision === revision);
}

function groupByKey(arrivals: readonly Arrival[]): Map<string, Arrival[]> {
  const groups = new Map<string, Arrival[]>();
  for (const arrival of arrivals.toSorted((a, b) => a.at - b.at)) {
    const group = groups.get(arrival.key);
    if (group === undefined) groups.set(arrival.key, [arrival]);
    else group.push(arrival);
  }
  return groups;
}

const kinds = [
  'lost',
  'duplicates',
  'repeatedWithoutDoubt',
  'early',
  'afterCancel',
  'oldContent',
  'unordered',
  'strangers',
  'tableDisagrees',
] as const;
type Kind = (typeof kinds)[number];

/** Violations by kind: each message counts once per kind. */
class Findings {
  private readonly keys = new Map<Kind, Set<string>>();
  readonly examples: string[] = [];

  add(kind: Kind, key: string, what: string): void {
    const seen = this.keys.get(kind) ?? new Set();
    this.keys.set(kind, seen);
    if (seen.has(key)) return;
    seen.add(key);
    if (seen.size <= EXAMPLES_PER_KIND) this.examples.push(`${kind}: ${key}: ${what}`);
  }

  get none(): boolean {
    return this.keys.size === 0;
  }

  get counts(): Record<Kind, number> {
    return Object.fromEntries(kinds.map((kind) => [kind, this.keys.get(kind)?.size ?? 0])) as Record<Kind, number>;
  }
}
