import type { ReceiverProcess } from '../../deploy/demo/receiver-process';
import { systemClock } from '../../topology/core/clock';
import { readTopologyFile } from '../../topology/settings/topology-settings';
import { BenchTable } from './bench-table';
import { type Figures, median } from './figures';
import { burst, type Subject, steady } from './measure';
import type { BenchOptions } from './options';
import { UsageMeter } from './process-usage';
import { type BurstProfiler, profiled } from './profile';
import type { Measurement, Restart } from './report';
import { PAUSED_CHANNEL, WholeStack } from './whole-stack';
import { accountPicker, rowsOf, type Workload } from './workload';

/** Bursts as large as the measured ones, up to so many messages: code that was never under load is compiled while it is measured. */
const WARM_UP_BURSTS = 4;
const WARM_UP_MESSAGES = 20_000;
/** The JVMs are slow in their first minute; this is the shortest warm-up. Milliseconds. */
const WARM_UP = 45_000;
/** Beside preloaded rows: how late a small burst may be before the rows count as taken in. Milliseconds. */
const CALM = 1_000;
const CALM_TRIES = 60;
type Say = (text: string) => void;

/** The measurements through the whole stack. */
export class WholeRun {
  restart: Restart | null = null;
  private besides = '';

  private constructor(
    private readonly options: BenchOptions,
    private readonly stack: WholeStack,
    private readonly subject: Subject,
    private readonly url: string,
    private readonly say: Say,
  ) {}

  static async start(
    options: BenchOptions,
    receiver: ReceiverProcess,
    url: string,
    say: Say,
    onEnd: (end: () => Promise<void>) => void,
  ): Promise<WholeRun> {
    const stack = await WholeStack.start(say, options.overdue > 0);
    onEnd(() => stack.stop());
    const table = new BenchTable(stack.settings['DATABASE_URL'] as string);
    onEnd(() => table.close());
    const watched = () => [...stack.watched(), { name: 'receiver', pid: receiver.pid }];
    return new WholeRun(options, stack, { table, receiver, watched }, url, say);
  }

  get deaths(): number {
    return this.stack.deaths;
  }

  /** @param bareRate of a payload size, messages per second */
  async measure(bareRate: (payloadBytes: number) => number | null): Promise<Measurement[]> {
    const done = await this.scenarios(bareRate);
    const { future, overdue } = this.options;
    if (future === 0 && overdue === 0) return done;
    await this.preload();
    if (future > 0) await this.measureRestart();
    return [...done, ...(await this.scenarios(bareRate))];
  }

  private async scenarios(bareRate: (payloadBytes: number) => number | null): Promise<Measurement[]> {
    const { scenario, claimAhead, payload } = this.options;
    const done: Measurement[] = [];
    if (scenario === 'cold') {
      for (const payloadBytes of payload) done.push(await this.firstBursts(payloadBytes, bareRate(payloadBytes)));
      return done;
    }
    const settings = [...(claimAhead === 'on' ? [] : [0]), ...(claimAhead === 'off' ? [] : [claimAheadMax()])];
    for (const ahead of settings) {
      await this.startWorkers(ahead);
      if (scenario !== 'steady') {
        for (const payloadBytes of payload) done.push(await this.bursts(payloadBytes, ahead, bareRate(payloadBytes)));
      }
      if (scenario !== 'burst' && ahead === settings.at(-1)) done.push(await this.steadyStream(ahead));
      await this.stack.stopWorkers();
    }
    return done;
  }

  /** The first burst of new workers, as after a deploy: nothing was sent by them before. */
  private async firstBursts(payloadBytes: number, bare: number | null): Promise<Measurement> {
    const claimAhead = claimAheadMax();
    const first = async (name: string, profiler?: BurstProfiler) => {
      const figures = await burst(this.subject, this.work(name, this.options.count, payloadBytes), profiler);
      const { p50, p99 } = figures.lateness ?? {};
      this.say(`first burst of ${payloadBytes} B, ${name}: p50 ${p50} ms, p99 ${p99} ms`);
      return figures;
    };
    const rounds: Figures[] = [];
    for (let round = 1; round <= Math.max(1, this.options.rounds); round++) {
      await this.startCold(claimAhead);
      rounds.push(await first(`round ${round}`));
      await this.stack.stopWorkers();
    }
    const middle = median(rounds);
    if (this.options.profile) await this.startCold(claimAhead);
    const again = this.options.profile
      ? await profiled(`cold-${payloadBytes}B`, this.subject.watched(), middle, (profiler) =>
          first('profiled', profiler),
        )
      : undefined;
    if (this.options.profile) await this.stack.stopWorkers();
    const all = again === undefined ? rounds : [...rounds, again.figures];
    return {
      ...this.middle(rounds, all, { name: 'first burst', claimAhead, bare }),
      ...(again && { profile: again.profile }),
    };
  }

  /** Resolves when every worker has partitions. */
  private async startCold(claimAhead: number): Promise<void> {
    this.stack.startWorkers(claimAhead);
    await this.atWork();
  }

  private async atWork(): Promise<void> {
    const until = systemClock.monotonic() + WARM_UP;
    for (;;) {
      const pids = this.stack.workers.map(({ pid }) => pid);
      const atWork = await this.subject.table.atWork(pids);
      if (atWork.length === pids.length) return;
      if (systemClock.monotonic() > until) throw new Error(`${pids.length - atWork.length} workers have no partition`);
      await systemClock.sleep(100);
    }
  }

  private async startWorkers(claimAhead: number): Promise<void> {
    this.say(`workers start, claim-ahead ${claimAhead === 0 ? 'off' : `up to ${claimAhead} ms`}; warming up`);
    this.stack.startWorkers(claimAhead);
    const until = systemClock.monotonic() + WARM_UP;
    for (let n = 0; n < WARM_UP_BURSTS || systemClock.monotonic() < until; n++) {
      const count = Math.min(this.options.count, WARM_UP_MESSAGES);
      const figures = await burst(this.subject, this.work('warm-up', count, this.smallest));
      if (figures.lost > 0) {
        throw new Error(
          `warming up: ${figures.lost} messages did not arrive; table: ${JSON.stringify(figures.states)}`,
        );
      }
    }
    for (let tries = 0; this.besides !== ''; tries++) {
      const figures = await burst(this.subject, this.work('calm', 1_000, this.smallest));
      if ((figures.lateness?.p99 ?? Infinity) < CALM) break;
      if (tries >= CALM_TRIES) throw new Error(`beside ${this.besides} a burst of 1,000 is still late`);
    }
  }

  private async bursts(payloadBytes: number, claimAhead: number, bare: number | null): Promise<Measurement> {
    const rounds: Figures[] = [];
    for (let round = 1; round <= Math.max(1, this.options.rounds); round++) {
      const figures = await burst(this.subject, this.work(`burst${round}`, this.options.count, payloadBytes));
      this.say(
        `burst of ${payloadBytes} B, round ${round}: ${Math.round(figures.rate)}/s, p99 ${figures.lateness?.p99} ms`,
      );
      rounds.push(figures);
    }
    const middle = median(rounds);
    const name = `burst-${payloadBytes}B-${claimAhead === 0 ? 'off' : 'on'}${this.besides === '' ? '' : '-besides'}`;
    const again = this.options.profile
      ? await profiled(name, this.subject.watched(), middle, (profiler) =>
          burst(this.subject, this.work('profiled', this.options.count, payloadBytes), profiler),
        )
      : undefined;
    const all = again === undefined ? rounds : [...rounds, again.figures];
    return {
      ...this.middle(rounds, all, { name: 'burst', claimAhead, bare }),
      ...(again && { profile: again.profile }),
    };
  }

  /** @param all in which a violation counts, whichever round it is of */
  private middle(
    rounds: readonly Figures[],
    all: readonly Figures[],
    { bare, ...named }: { readonly name: string; readonly claimAhead: number; readonly bare: number | null },
  ): Measurement {
    const middle = median(rounds);
    return {
      ...middle,
      ...named,
      early: sum(all, ({ early }) => early),
      duplicates: sum(all, ({ duplicates }) => duplicates),
      lost: sum(all, ({ lost }) => lost),
      besides: this.besides,
      ratio: bare === null ? null : middle.rate / bare,
      rounds: rounds.map(({ rate }) => Math.round(rate)),
    };
  }

  private async steadyStream(claimAhead: number): Promise<Measurement> {
    const { rate, seconds } = this.options;
    this.say(`${rate}/s for ${seconds} s`);
    const figures = await steady(this.subject, this.work('steady', rate * seconds, this.smallest), rate);
    return {
      ...figures,
      name: 'steady',
      claimAhead,
      besides: this.besides,
      ratio: null,
      rounds: [Math.round(figures.rate)],
    };
  }

  private async preload(): Promise<void> {
    const { future, overdue, accounts } = this.options;
    const pick = accountPicker(accounts);
    const payload = rowsOf(this.work('preloaded', 1, this.smallest), 0, 1, () => 0)[0]?.payload ?? '';
    const words: string[] = [];
    if (future > 0) {
      this.say(`writing ${future} future rows`);
      await this.subject.table.preloadFuture(future, pick, payload);
      words.push(`${future} future`);
    }
    if (overdue > 0) {
      this.say(`writing ${overdue} overdue rows`);
      await this.subject.table.preloadOverdue(overdue, PAUSED_CHANNEL, pick, payload);
      words.push(`${overdue} overdue`);
    }
    this.besides = words.join(', ');
  }

  /** How long new spouts take to their first message when the table is full. */
  private async measureRestart(): Promise<void> {
    this.stack.startWorkers(0);
    await burst(this.subject, this.work('before', 1_000, this.smallest));
    await this.stack.stopSpouts();
    const { receiver, table } = this.subject;
    await receiver.reset();
    await table.insert(rowsOf(this.work('restart', 100, this.smallest), 0, 100, () => systemClock.now()));
    const startedAt = systemClock.now();
    this.stack.startSpouts();
    while ((await receiver.accepted()) < 100) await systemClock.sleep(20);
    const { firstAt } = await receiver.report();
    const spouts = this.subject.watched().filter(({ name }) => name.startsWith('due-'));
    this.restart = {
      firstEmitMs: (firstAt ?? startedAt) - startedAt,
      futureRows: this.options.future,
      usage: new UsageMeter(spouts).read(),
    };
    await this.stack.stopWorkers();
  }

  private work(name: string, count: number, payloadBytes: number): Workload {
    return { name, count, accounts: this.options.accounts, payloadBytes, url: this.url };
  }

  private get smallest(): number {
    return Math.min(...this.options.payload);
  }
}

function claimAheadMax(): number {
  return readTopologyFile().settings.bolts['webhook']?.claimAheadMaxMs || 2_000;
}

function sum(rounds: readonly Figures[], value: (figures: Figures) => number): number {
  return rounds.reduce((total, figures) => total + value(figures), 0);
}
