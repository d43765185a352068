import type { MessageState } from '../../topology/message';
import type { Operation } from './clients';

/** One request as the receiver saw it. */
export interface Request {
  /** Idempotency key. */
  readonly key: string;
  /** As in the operations. */
  readonly content: string;
  /** Epoch milliseconds, when it was in. */
  readonly at: number;
  readonly accepted: boolean;
}

export interface Row {
  /** As in the operations. */
  readonly key: string;
  readonly state: MessageState;
  /** An attempt ended without a usable answer, was refused for now, or its worker died. */
  readonly mayRepeat: boolean;
}

/** What three witnesses say when the fault is over: clients, receiver and table. */
export interface Histories {
  readonly clients: readonly Operation[];
  readonly requests: readonly Request[];
  readonly rows: readonly Row[];
  /** What is left, by name; all should be 0. */
  readonly left: Readonly<Record<string, number>>;
}

/** What breaks the invariants of DESIGN §6, one line each. */
export function judge(histories: Histories): string[] {
  const { clients, requests, rows, left } = histories;
  const operations = groupBy(clients, ({ key }) => key);
  const received = groupBy(requests, ({ content }) => keyOf(content));
  const broken: string[] = [];
  for (const [name, count] of Object.entries(left)) if (count !== 0) broken.push(`I7: ${name}: ${count}`);
  const table = new Map(rows.map((row) => [row.key, row]));
  for (const [key, of] of operations) {
    const row = table.get(key);
    const sent = received.get(key) ?? [];
    const say = (what: string) => broken.push(`${what} (${key})`);
    if (of.some(({ kind, result }) => kind === 'schedule' && result === 'ok') && row === undefined) say('I1: gone');
    if (row?.state === 'scheduled' || row?.state === 'sending') say(`I1, I7: still ${row.state}`);
    const wasCanceled = of.some(({ kind, result }) => kind === 'cancel' && result !== 'fail');
    if (row?.state === 'canceled' && !wasCanceled) say('I1: canceled by nobody');
    for (const what of unlawful(of, sent)) say(what);
    if (new Set(sent.map((one) => one.key)).size > 1) say('I4: under different keys');
    if (sent.length > 1 && row?.mayRepeat !== true) say(`I4: sent ${sent.length} times without a reason`);
    const accepted = sent.some((one) => one.accepted);
    if (row?.state === 'delivered' && !accepted) say('I6: delivered, and never accepted');
    if (accepted && row?.state !== 'delivered' && row?.state !== 'uncertain') say(`I6: accepted, and ${row?.state}`);
  }
  for (const key of received.keys()) if (!operations.has(key)) broken.push(`I6: sent, and never scheduled (${key})`);
  return broken;
}

/** I2 and I3: early, after a cancel, or with old content after an edit. */
function* unlawful(operations: readonly Operation[], sent: readonly Request[]): Iterable<string> {
  for (const { content, at } of sent) {
    const source = operations.findIndex((one) => one.content === content);
    const { dueAt } = operations[source] ?? {};
    if (dueAt === undefined) yield `I3: content of nobody: ${content}`;
    else if (at < dueAt) yield `I2: ${dueAt - at} ms early`;
    for (const [index, { kind, result, endedAt }] of operations.entries()) {
      if (result !== 'ok' || index <= source || endedAt >= at) continue;
      yield `I3: ${at - endedAt} ms after the ${kind} was acknowledged`;
    }
  }
}

function keyOf(content: string): string {
  return content.slice(0, content.lastIndexOf('/'));
}

function groupBy<T>(all: readonly T[], keyOfOne: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOfOne(one);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return groups;
}
