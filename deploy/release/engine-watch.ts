import type { Clock } from '../../topology/core/clock';
import { counted } from '../console/units';
import { rollRules } from '../monitoring/halt-rules';
import { Halted, type Watch } from '../targets/engine';
import { patiently } from './patiently';

export interface EngineWatchOptions {
  /** Looks at how the workers do. @returns why the rollout has to be halted, or null */
  readonly judge: () => Promise<string | null>;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  /** Aborts when the command is to end, or has lost the right to deploy. */
  readonly signal: AbortSignal;
  readonly report: (text: string) => void;
  /** How long the workers of a stage are watched before others follow; 0: nobody watches, in the end neither. */
  readonly pauseMs: number;
  /** How long before its wake a message is emitted: what wakes within that was still emitted by the spouts before. */
  readonly leadMs: number;
  /** Workers of the release run already, and nobody may have watched them for long enough. */
  readonly isContinued: boolean;
}

/**
 * Judges a rollout of another engine, as one of the target `local` is judged.
 *
 * 1. *A rollout is halted as soon as the judge says so*, also while the engine replaces workers.
 * 2. *A release is live only when what its last workers do not send would be overdue*, also one that was begun by an earlier deploy. One
 *    that replaces nobody is not waited for.
 * 3. *A database that is away halts nothing*: it is waited for.
 */
export class EngineWatch implements Watch {
  private replacedMs: number;
  private judgedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: EngineWatchOptions) {
    this.replacedMs = options.isContinued ? options.clock.monotonic() : Number.NEGATIVE_INFINITY;
  }

  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const [halt, over] = [new AbortController(), new AbortController()];
    const looking = this.lookUntil(() => over.signal.aborted, over.signal).catch((error: unknown) => halt.abort(error));
    let answer: T;
    try {
      answer = await work(AbortSignal.any([this.options.signal, halt.signal]));
    } finally {
      over.abort();
      await looking;
    }
    halt.signal.throwIfAborted();
    return answer;
  }

  async look(): Promise<void> {
    const { clock, signal, judge } = this.options;
    signal.throwIfAborted();
    if (clock.monotonic() - this.judgedMs < rollRules.judgeEveryMs) return;
    this.judgedMs = clock.monotonic();
    const reason = await patiently(this.options, judge);
    if (reason !== null) throw new Halted(reason);
  }

  async replaced(components: readonly string[]): Promise<void> {
    this.replacedMs = this.options.clock.monotonic();
    if (components.length === 0) return;
    const whom = components.length > 3 ? counted(components.length, 'component') : components.join(', ');
    await this.watch(`the workers of ${whom}`, this.options.pauseMs);
  }

  async end(): Promise<void> {
    const { clock, leadMs } = this.options;
    await this.watch('all workers', this.replacedMs + rollRules.watchedMs + leadMs - clock.monotonic());
  }

  private async watch(whom: string, durationMs: number): Promise<void> {
    const { clock, report, signal, pauseMs } = this.options;
    if (pauseMs <= 0 || durationMs <= 0) return;
    report(`watching ${whom} for ${Math.ceil(durationMs / 1_000)} s`);
    const endMs = clock.monotonic() + durationMs;
    await this.lookUntil(() => clock.monotonic() >= endMs, signal);
    signal.throwIfAborted();
  }

  /** @param over ends the wait between two looks */
  private async lookUntil(isOver: () => boolean, over: AbortSignal): Promise<void> {
    const { clock, signal } = this.options;
    const either = AbortSignal.any([signal, over]);
    while (!isOver()) {
      await this.look();
      if (!isOver()) await clock.sleep(rollRules.judgeEveryMs, either);
    }
  }
}
