import { systemClock } from '../../topology/core/clock';
import { reasonOf } from '../../topology/core/errors';
import { Random } from '../support/random';
import type { Histories } from './judge/history';
import { judge } from './judge/judge';
import type { Fault } from './kinds/fault';
import type { Arena } from './world/arena';
import type { Clients } from './world/clients';

/** What came of one fault. */
export interface Verdict {
  readonly name: string;
  readonly seed: number;
  readonly messages: number;
  readonly requests: number;
  /** Milliseconds, of messages that were accepted. */
  readonly lateness: { readonly median: number; readonly most: number };
  readonly seconds: number;
  /** What is wrong, one line each. */
  readonly broken: readonly string[];
}

const RATE = 60;

/** Makes a fault under load, waits until everything is at rest, and judges. Every part runs afterwards. */
export async function trial(arena: Arena, fault: Fault, seed: number): Promise<Verdict> {
  const random = new Random(seed);
  const begun = systemClock.monotonic();
  await arena.begin(random.fork(1));
  const { clients } = arena;
  const loaded = new AbortController();
  const load = clients.steady(fault.rate ?? RATE, loaded.signal);
  const broken: string[] = [];
  try {
    await systemClock.sleep(random.between(500, 2_500));
    await fault.run(arena, random.fork(2));
  } catch (error) {
    broken.push(reasonOf(error));
  } finally {
    loaded.abort();
    await load;
  }
  await arena.recovered().catch((error: unknown) => broken.push(reasonOf(error)));
  const histories = await arena.settled();
  // One after the other: where much is broken they are more than one call takes.
  for (const { invariant, id, reason } of judge(histories)) broken.push(`${invariant}: ${id ?? ''} ${reason}`);
  const lateness = latenessOf(clients, histories);
  const most = lateness.at(-1) ?? 0;
  if (most > fault.mostLateMs)
    broken.push(`a message was ${Math.round(most)} ms late, and at most ${fault.mostLateMs} ms are allowed`);
  const p95 = lateness[Math.floor(lateness.length * 0.95)] ?? 0;
  if (fault.p95LateMs !== undefined && p95 > fault.p95LateMs)
    broken.push(`one message in twenty was over ${Math.round(p95)} ms late, and ${fault.p95LateMs} ms are allowed`);
  return {
    name: fault.name,
    seed,
    messages: histories.table.rows.length,
    requests: histories.requests.length,
    lateness: { median: lateness[Math.floor(lateness.length / 2)] ?? 0, most },
    seconds: (systemClock.monotonic() - begun) / 1_000,
    broken,
  };
}

/** Accepted minus due, in ascending order. */
function latenessOf({ recorder, patient }: Clients, { requests }: Histories): number[] {
  const due = new Map<string, number>();
  for (const { key, content, dueAt } of recorder.history) {
    if (content !== undefined && dueAt !== undefined && !patient.has(key ?? '')) due.set(content, dueAt);
  }
  return requests
    .flatMap(({ content, at, accepted }) => {
      const dueAt = due.get(content);
      return accepted && dueAt !== undefined ? [at - dueAt] : [];
    })
    .toSorted((a, b) => a - b);
}
