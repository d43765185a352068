import { type PlacementKey, type PlacementRow, placementName } from '../../connectors/mysql/operators/placements';
import type { RunningWorker } from '../../connectors/mysql/operators/roll-view';
import type { Clock } from '../../topology/core/clock';
import { rollRules } from '../monitoring/halt-rules';
import { workersText } from './left-over';
import { patiently } from './patiently';
import type { RollStep, RollSteps } from './roll-steps';

/** What runs, as far as the rollout has to know. */
export interface RolloutView {
  readonly placements: readonly PlacementRow[];
  /** Workers that are alive, by what they were started for. */
  readonly workers: readonly RunningWorker[];
  /** Hosts of the supervisors that hold their lease. */
  readonly supervisors: readonly string[];
}

export interface RolloutPort {
  look(): Promise<RolloutView>;
  /**
   * Asks for what the steps say: for workers of `releaseNumber`, or that they end. All of it or nothing.
   * @returns when, epoch milliseconds by the database's clock
   */
  make(steps: readonly RollStep[], releaseNumber: number): Promise<number>;
}

export interface RolloutOptions {
  readonly port: RolloutPort;
  readonly clock: Clock;
  /** Aborts when the command is to end, and leave what there is. */
  readonly signal: AbortSignal;
  /** Looks at how the workers do. @returns why the roll has to be halted, or null */
  readonly judge: () => Promise<string | null>;
  readonly report: (text: string) => void;
  /** How many messages are due together about now; null when that is no crowd. Unless it is given nothing waits for crowds. */
  readonly crowd?: (() => Promise<number | null>) | undefined;
  /** Workers that drain for longer than this, milliseconds, fail the roll; unless it is given the roll goes on without them. */
  readonly drainMs?: number | undefined;
}

/**
 * How it ended. `failed`: a worker did not become ready. `trouble`: it did, and errors or lateness rose. `interrupted`: by
 * the signal, after so many steps.
 */
export type RolloutResult =
  | { readonly result: 'done' }
  | { readonly result: 'failed' | 'trouble'; readonly reason: string }
  | { readonly result: 'interrupted'; readonly done: number; readonly of: number };

const LOOK_EVERY_MS = 300;
const JUDGE_EVERY_MS = 2_000;
const CROWD_EVERY_MS = 1_000;
/** The next worker does not wait longer for the last request of one that drains. */
const DRAIN_LIMIT_MS = 60_000;
/** What a supervisor writes so soon after a change may be of what it saw before. */
const OBSERVED_AFTER_MS = 2_000;

/**
 * Rolls workers of the target `local` to a release.
 *
 * 1. *One worker at a time is replaced*, and the next one only after the one before it is ready.
 * 2. *A roll stops at the first worker that does not become ready*, or that crashes again and again.
 * 3. *A roll stops when errors or lateness rise*, also in the pause after the canaries, and until what the first of them does not
 *    send would be overdue.
 * 4. *No worker is replaced while a crowd is due or about to be*, for as long as that may be waited for: a worker that has just
 *    started is slow, and what moves to it is late.
 */
export class Rollout {
  private done = 0;
  private of = 0;
  /** From when on a supervisor's word counts for a worker that was asked for, by its name. Epoch milliseconds. */
  private readonly asked = new Map<string, number>();
  private judgedMs = Number.NEGATIVE_INFINITY;
  private awayMs = 0;
  /** When the first worker that replaces another one was ready. */
  private replacedMs: number | null = null;

  constructor(private readonly options: RolloutOptions) {}

  /** @param pauseMs how long the canaries are watched before others follow; 0: nobody watches, in the end neither */
  async run(steps: RollSteps, releaseNumber: number, pauseMs: number): Promise<RolloutResult> {
    this.of = [...steps.canaries, ...steps.others].flat().length;
    for (const group of steps.canaries) {
      const over = await this.runGroup(group, releaseNumber);
      if (over !== null) return over;
    }
    if (steps.canaries.length > 0 && pauseMs > 0) {
      const over = await this.watch('the first workers', pauseMs);
      if (over !== null) return over;
    }
    for (const group of steps.others) {
      const over = await this.runGroup(group, releaseNumber);
      if (over !== null) return over;
    }
    const sick = await this.untilHealthy();
    if (sick !== null) return sick;
    const leftMs = (this.replacedMs ?? Number.NEGATIVE_INFINITY) + rollRules.watchedMs - this.options.clock.monotonic();
    const over = pauseMs > 0 && leftMs > 0 ? await this.watch('all workers', leftMs) : null;
    return over ?? { result: 'done' };
  }

  /** Also the workers that were left alone must run. */
  private async untilHealthy(): Promise<RolloutResult | null> {
    const { port, clock, signal } = this.options;
    const begunMs = this.answeredMs();
    for (;;) {
      if (signal.aborted) return this.interrupted();
      const view = await this.patiently(() => port.look());
      const trouble = this.loopingOf(view) ?? (await this.judge());
      if (trouble !== null) return trouble;
      const waitedMs = this.answeredMs() - begunMs;
      const late = view.placements.find((one) => !isReady(one, waitedMs));
      if (late === undefined) return null;
      if (waitedMs > rollRules.readyMs) return { result: 'failed', reason: notReady(late, view, waitedMs) };
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  private async runGroup(group: readonly RollStep[], releaseNumber: number): Promise<RolloutResult | null> {
    const { port, clock, signal, report } = this.options;
    if (group.some(({ kind }) => kind === 'replace' || kind === 'restart')) await this.untilNoCrowd();
    if (signal.aborted) return this.interrupted();
    const at = await this.patiently(() => port.make(group, releaseNumber));
    for (const step of group) this.asked.set(placementName(step), at + OBSERVED_AFTER_MS);
    const begunMs = this.answeredMs();
    let left = [...group];
    while (left.length > 0) {
      if (signal.aborted) return this.interrupted();
      const view = await this.patiently(() => port.look());
      const trouble = this.loopingOf(view) ?? (await this.judge());
      if (trouble !== null) return trouble;
      const waitedMs = this.answeredMs() - begunMs;
      const over = left.filter((step) => isDone(step, view, waitedMs, this.options.drainMs));
      for (const step of over) report(textOf(step, ++this.done, this.of));
      if (over.some(({ kind }) => kind === 'replace')) this.replacedMs ??= clock.monotonic();
      left = left.filter((step) => !over.includes(step));
      const late = left.find(({ kind }) => kind !== 'end');
      if (late !== undefined && waitedMs > rollRules.readyMs) {
        return { result: 'failed', reason: notReady(late, view, waitedMs) };
      }
      if (waitedMs > (this.options.drainMs ?? Number.POSITIVE_INFINITY) && left.length > 0) {
        return { result: 'failed', reason: notEnded(left, view, waitedMs) };
      }
      if (left.length > 0) await clock.sleep(LOOK_EVERY_MS, signal);
    }
    return null;
  }

  private async untilNoCrowd(): Promise<void> {
    const { clock, signal, report, crowd } = this.options;
    if (crowd === undefined) return;
    const end = clock.monotonic() + rollRules.crowdWaitMs;
    let isTold = false;
    while (!signal.aborted && clock.monotonic() < end) {
      const messages = await this.patiently(crowd);
      if (messages === null) return;
      if (!isTold) report(`waiting until ${messages} messages that are due about now are sent`);
      isTold = true;
      await clock.sleep(CROWD_EVERY_MS, signal);
    }
  }

  private async watch(whom: string, durationMs: number): Promise<RolloutResult | null> {
    const { port, clock, signal, report } = this.options;
    report(`watching ${whom} for ${Math.ceil(durationMs / 1_000)} s`);
    const end = clock.monotonic() + durationMs;
    while (clock.monotonic() < end) {
      if (signal.aborted) return this.interrupted();
      const view = await this.patiently(() => port.look());
      const trouble = this.loopingOf(view) ?? (await this.judge());
      if (trouble !== null) return trouble;
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
    return null;
  }

  /** A worker that cannot run, of those that were asked for: one that could not run before says nothing of the release. */
  private loopingOf({ placements }: RolloutView): RolloutResult | null {
    const looping = placements.find((one) => {
      const from = this.asked.get(placementName(one)) ?? Number.POSITIVE_INFINITY;
      return one.observed?.state === 'crash_looping' && (one.observedAt ?? 0) > from;
    });
    if (looping === undefined) return null;
    const { deaths = 0, lastError, logFile } = looping.observed ?? {};
    const how = deaths >= rollRules.deaths ? `died ${deaths} times in a row` : 'does not become ready';
    const log = logFile == null ? '' : ` (log: ${logFile})`;
    return { result: 'failed', reason: `${placementName(looping)} ${how}: ${lastError ?? 'it said nothing'}${log}` };
  }

  private async judge(): Promise<RolloutResult | null> {
    const { clock, judge } = this.options;
    const now = clock.monotonic();
    if (now - this.judgedMs < JUDGE_EVERY_MS) return null;
    this.judgedMs = now;
    const reason = await this.patiently(judge);
    return reason === null ? null : { result: 'trouble', reason };
  }

  private async patiently<T>(work: () => Promise<T>): Promise<T> {
    const { clock, report } = this.options;
    const begunMs = clock.monotonic();
    let wasAway = false;
    const note = (text: string) => {
      wasAway = true;
      report(text);
    };
    try {
      return await patiently({ ...this.options, report: note }, work);
    } finally {
      if (wasAway) this.awayMs += clock.monotonic() - begunMs;
    }
  }

  /** Time in which supervisors could say how their workers do, milliseconds: without that for which the database was away. */
  private answeredMs(): number {
    return this.options.clock.monotonic() - this.awayMs;
  }

  private interrupted(): RolloutResult {
    return { result: 'interrupted', done: this.done, of: this.of };
  }
}

function isDone(step: RollStep, view: RolloutView, waitedMs: number, drainMs: number | undefined): boolean {
  if (step.kind === 'end') {
    const hasEnded = !view.workers.some((worker) => isFor(worker, step));
    return hasEnded || (drainMs === undefined && waitedMs > DRAIN_LIMIT_MS);
  }
  const placement = view.placements.find((one) => isFor(one, step));
  return placement !== undefined && isReady(placement, waitedMs);
}

/** What is asked for runs, and what ran before has ended or takes long about it. */
function isReady({ observed, releaseNumber, restarts }: PlacementRow, waitedMs: number): boolean {
  if (observed === null || observed.releaseNumber !== releaseNumber || observed.restarts !== restarts) return false;
  return observed.state === 'ready' || (observed.state === 'draining' && waitedMs > DRAIN_LIMIT_MS);
}

function isFor(one: PlacementKey, other: PlacementKey): boolean {
  return one.component === other.component && one.replica === other.replica;
}

function notReady(step: PlacementKey, view: RolloutView, waitedMs: number): string {
  const placement = view.placements.find((one) => isFor(one, step));
  const why =
    view.supervisors.length === 0
      ? 'no supervisor runs; `downspout supervisor` runs one on a host'
      : (placement?.observed?.lastError ?? `it is ${placement?.observed?.state ?? 'taken by no supervisor'}`);
  return `${placementName(step)} is not ready after ${Math.round(waitedMs / 1_000)} s: ${why}`;
}

function notEnded(steps: readonly RollStep[], { workers }: RolloutView, waitedMs: number): string {
  const left = workers.filter((worker) => steps.some((step) => isFor(worker, step)));
  return `after ${Math.round(waitedMs / 1_000)} s there still run: ${workersText(left)}`;
}

const verbs = { start: 'runs', replace: 'is replaced', restart: 'is restarted', end: 'has ended' } as const;

function textOf(step: RollStep, done: number, of: number): string {
  return `${placementName(step)} ${verbs[step.kind]} (${done} of ${of})`;
}
