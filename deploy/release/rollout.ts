import { placementName } from '../../connectors/mysql/operators/placements';
import type { RollView } from '../../connectors/mysql/operators/roll-view';
import type { Clock } from '../../topology/core/clock';
import { rollRules } from '../monitoring/halt-rules';
import { leftAlone, type MayBeUnready } from './left-alone';
import { patiently } from './patiently';
import { countOf, type RollStage, type RollStep, type RollSteps } from './roll-steps';
import { crashText, isDone, isReady, notEnded, notReady, textOf } from './step-progress';

export interface RolloutPort {
  look(): Promise<RollView>;
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
  /** The messages that are due together about now, `20000 messages`; null when they are no crowd. Unless it is given nothing waits. */
  readonly crowd?: (() => Promise<string | null>) | undefined;
  /** Workers that drain for longer than this, milliseconds, fail the roll; unless it is given the roll goes on without them. */
  readonly drainMs?: number | undefined;
  /** How long before its wake a message is emitted, milliseconds: what wakes within that was still emitted by the spouts before. */
  readonly leadMs?: number | undefined;
  /** Which workers need not be ready, also where they are asked for. Unless it is given: those that are not when the roll begins, and that it leaves alone. */
  readonly mayBeUnready?: MayBeUnready | undefined;
  /** The release that is live; 0 when none is. What only a later one asked for has to be ready, also where it is left alone. Unless it is given nothing has to. */
  readonly liveNumber?: number | undefined;
  /** Workers of the release run already, and nobody may have watched them for long enough. */
  readonly isContinued?: boolean | undefined;
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
const CROWD_EVERY_MS = 1_000;
/** What a supervisor writes so soon after a change may be of what it saw before, if it does not say of what it is. */
const OBSERVED_AFTER_MS = 2_000;

/**
 * Rolls workers of the target `local` to a release.
 *
 * 1. *One worker at a time is replaced*, and the next one only after the one before it is ready.
 * 2. *A roll stops at the first worker that does not become ready*, or that crashes again and again.
 * 3. *A roll stops when errors or lateness rise*, also in the pause after the canaries and while it waits for a crowd, and until
 *    what the first new worker of each component does not send would be overdue; also where the roll is continued.
 * 4. *A worker that was not ready before and is left alone fails no roll*: it is named in the end. One that only a release asked for
 *    that never was live does fail it.
 * 5. *No worker is replaced while a crowd is due or about to be*, for as long as that may be waited for: a worker that has just
 *    started is slow, and what moves to it is late.
 */
export class Rollout {
  private mayBeUnready: MayBeUnready = () => false;
  private done = 0;
  private of = 0;
  /** From when on the word of a supervisor that does not say which worker it is about counts for one that was asked for, by its name. Epoch milliseconds. */
  private readonly asked = new Map<string, number>();
  private judgedMs = Number.NEGATIVE_INFINITY;
  private awayMs = 0;
  /** Since when the database has answered without a break, monotonic. */
  private steadySinceMs = Number.NEGATIVE_INFINITY;
  /** When the first worker of a component that replaces another one was ready, by component. */
  private readonly replacedMs = new Map<string, number>();

  constructor(private readonly options: RolloutOptions) {}

  /** @param pauseMs how long the canaries are watched before others follow; 0: nobody watches, in the end neither */
  async run(steps: RollSteps, releaseNumber: number, pauseMs: number): Promise<RolloutResult> {
    const { clock, leadMs = 0, isContinued = false, liveNumber = Number.POSITIVE_INFINITY } = this.options;
    const begunMs = isContinued ? clock.monotonic() : Number.NEGATIVE_INFINITY;
    this.of = countOf(steps);
    if (this.options.signal.aborted) return this.interrupted();
    const { placements } = await this.patiently(() => this.options.port.look());
    this.mayBeUnready = this.options.mayBeUnready ?? leftAlone(placements, steps, liveNumber);
    for (const stage of steps) {
      const over = await this.runStage(stage, releaseNumber, pauseMs);
      if (over !== null) return over;
    }
    const sick = await this.untilHealthy();
    if (sick !== null) return sick;
    const leftMs = Math.max(begunMs, ...this.replacedMs.values()) + rollRules.watchedMs + leadMs - clock.monotonic();
    const over = pauseMs > 0 && leftMs > 0 ? await this.watch('all workers', leftMs) : null;
    return over ?? { result: 'done' };
  }

  private async runStage({ canaries, others }: RollStage, releaseNumber: number, pauseMs: number) {
    const over = await this.runGroups(canaries, releaseNumber);
    if (over !== null) return over;
    const sick = canaries.length > 0 && pauseMs > 0 ? await this.watch('the first workers', pauseMs) : null;
    return sick ?? (await this.runGroups(others, releaseNumber));
  }

  private async runGroups(groups: RollStage['others'], releaseNumber: number): Promise<RolloutResult | null> {
    for (const group of groups) {
      const over = await this.runGroup(group, releaseNumber);
      if (over !== null) return over;
    }
    return null;
  }

  private async untilHealthy(): Promise<RolloutResult | null> {
    const { clock, signal, report } = this.options;
    const begunMs = this.answeredMs();
    for (;;) {
      const view = await this.look();
      if ('result' in view) return view;
      const waitedMs = this.answeredMs() - begunMs;
      const unready = view.placements.filter((one) => !isReady(one, waitedMs));
      const late = unready.find((one) => !this.mayBeUnready(one));
      if (late === undefined) {
        for (const one of unready) report(`left as it was: ${notReady(one, view)}`);
        return null;
      }
      if (waitedMs > rollRules.readyMs) return { result: 'failed', reason: notReady(late, view, waitedMs) };
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  private async runGroup(group: readonly RollStep[], releaseNumber: number): Promise<RolloutResult | null> {
    const { port, clock, signal, report } = this.options;
    const stopped = group.some(({ kind }) => kind === 'replace' || kind === 'restart')
      ? await this.untilNoCrowd()
      : null;
    if (stopped !== null) return stopped;
    if (signal.aborted) return this.interrupted();
    const at = await this.patiently(() => port.make(group, releaseNumber));
    for (const step of group) this.asked.set(placementName(step), at + OBSERVED_AFTER_MS);
    const begunMs = this.answeredMs();
    const askedMs = clock.monotonic();
    let left = [...group];
    while (left.length > 0) {
      const view = await this.look();
      if ('result' in view) return view;
      const waitedMs = this.answeredMs() - begunMs;
      const steadyMs = clock.monotonic() - Math.max(askedMs, this.steadySinceMs);
      const isOver = (step: RollStep) => isDone(step, view, { waitedMs, steadyMs }, this.options.drainMs);
      const over = left.filter((one) => isOver(one) || (one.kind !== 'end' && this.mayBeUnready(one)));
      for (const step of over) report(textOf(step, ++this.done, this.of));
      for (const { kind, component } of over) {
        if (kind === 'replace' && !this.replacedMs.has(component)) this.replacedMs.set(component, clock.monotonic());
      }
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

  /** The workers that were replaced before send the crowd too, so they are judged meanwhile. */
  private async untilNoCrowd(): Promise<RolloutResult | null> {
    const { clock, signal, report, crowd } = this.options;
    if (crowd === undefined) return null;
    const end = clock.monotonic() + rollRules.crowdWaitMs;
    let isTold = false;
    while (clock.monotonic() < end) {
      const messages = await this.patiently(crowd);
      if (messages === null) return null;
      if (!isTold) report(`waiting until ${messages} that are due about now are sent`);
      isTold = true;
      const view = await this.look();
      if ('result' in view) return view;
      await clock.sleep(CROWD_EVERY_MS, signal);
    }
    return null;
  }

  private async watch(whom: string, durationMs: number): Promise<RolloutResult | null> {
    const { clock, signal, report } = this.options;
    report(`watching ${whom} for ${Math.ceil(durationMs / 1_000)} s`);
    const end = clock.monotonic() + durationMs;
    while (clock.monotonic() < end) {
      const view = await this.look();
      if ('result' in view) return view;
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
    return null;
  }

  /** What runs now, or how the roll ends because of it. */
  private async look(): Promise<RollView | RolloutResult> {
    if (this.options.signal.aborted) return this.interrupted();
    const view = await this.patiently(() => this.options.port.look());
    return this.loopingOf(view) ?? (await this.judge()) ?? view;
  }

  /** A worker that cannot run, of those that were asked for: one that could not run before says nothing of the release. */
  private loopingOf({ placements }: RollView): RolloutResult | null {
    const looping = placements.find((one) => {
      const from = this.asked.get(placementName(one));
      if (from === undefined || one.observed?.state !== 'crash_looping' || this.mayBeUnready(one)) return false;
      const { wanted } = one.observed;
      if (wanted === undefined) return (one.observedAt ?? 0) > from;
      return wanted.releaseNumber === one.releaseNumber && wanted.restarts === one.restarts;
    });
    if (looping === undefined) return null;
    return { result: 'failed', reason: crashText(looping) };
  }

  private async judge(): Promise<RolloutResult | null> {
    const { clock, judge } = this.options;
    const now = clock.monotonic();
    if (now - this.judgedMs < rollRules.judgeEveryMs) return null;
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
      if (wasAway) {
        this.awayMs += clock.monotonic() - begunMs;
        this.steadySinceMs = clock.monotonic();
      }
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
