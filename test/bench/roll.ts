import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ReceiverProcess } from '../../deploy/demo/receiver-process';
import { systemClock } from '../../topology/core/clock';
import { packageRoot } from '../../topology/settings/package';
import { runCli } from '../support/stack/cli';
import { topologyFile } from '../support/stack/topology-file';
import { BenchTable } from './bench-table';
import type { Figures } from './figures';
import { burst, type Subject, steady } from './measure';
import type { BenchOptions } from './options';
import { WholeStack } from './whole-stack';
import type { Workload } from './workload';

/** Bursts as large as the measured ones: code that was never under load is compiled while it is measured. */
const WARM_UP_BURSTS = 4;
/** The 99th percentile of one stream is that of its worst moment, which varies. */
const STEADY_ROUNDS = 3;
/** How long into the steady stream the roll begins, milliseconds. */
const ROLL_AFTER_MS = 6_000;

/** The same load without a roll and with one, again and again. */
export interface Rounds {
  readonly without: readonly Figures[];
  readonly with: readonly Figures[];
}

/** The same load with and without a roll of every worker beside it. */
export interface RollReport {
  readonly rate: number;
  readonly steady: Rounds;
  readonly bursts: Rounds;
  /** How long each roll took, milliseconds. */
  readonly rollsMs: readonly number[];
}

/** Workers of the target `local`, deployed and rolled by the command. */
export class RollRun {
  private readonly rollsMs: number[] = [];

  private constructor(
    private readonly options: BenchOptions,
    private readonly subject: Subject,
    private readonly url: string,
    private readonly environment: Readonly<Record<string, string>>,
    private readonly state: string,
    private readonly say: (text: string) => void,
  ) {}

  static async start(
    options: BenchOptions,
    say: (text: string) => void,
    onEnd: (end: () => Promise<void>) => void,
  ): Promise<RollRun> {
    const receiver = await ReceiverProcess.start();
    onEnd(() => receiver.stop());
    const stack = await WholeStack.start(say, false);
    onEnd(() => stack.stop());
    const table = new BenchTable(stack.settings['DATABASE_URL'] as string);
    onEnd(() => table.close());
    const folder = join(packageRoot(), '.downspout', 'bench', 'roll');
    mkdirSync(folder, { recursive: true });
    const topology = join(folder, 'topology.yaml');
    writeFileSync(
      topology,
      topologyFile((components) => components),
    );
    const environment = {
      ...stack.settings,
      DOWNSPOUT_TOPOLOGY: topology,
      WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
    };
    const watched = () => [...stack.watched(), { name: 'receiver', pid: receiver.pid }];
    const subject = { table, receiver, watched };
    const run = new RollRun(options, subject, `${receiver.url}/bench`, environment, join(folder, 'host'), say);
    onEnd(() => run.command('supervisor', '--stop', '--state', run.state));
    await run.command('deploy', '--yes', '--pause', '0s', '--state', run.state);
    return run;
  }

  async measure(): Promise<RollReport> {
    const { options } = this;
    this.say('warming up');
    for (let n = 0; n < WARM_UP_BURSTS; n++) await burst(this.subject, this.work(`warm-up${n}`, options.count));
    const rounds = Math.max(1, options.rounds);
    const bursts = await this.inTurn('bursts', rounds, 0, (name) =>
      burst(this.subject, this.work(`burst-${name}`, options.count)),
    );
    const messages = options.rate * options.seconds;
    const streams = await this.inTurn(`${options.rate}/s`, Math.min(rounds, STEADY_ROUNDS), ROLL_AFTER_MS, (name) =>
      steady(this.subject, this.work(`steady-${name}`, messages), options.rate),
    );
    return { rate: options.rate, steady: streams, bursts, rollsMs: this.rollsMs };
  }

  /** @param rollAfterMs how long into the load a roll begins, milliseconds */
  private async inTurn(
    title: string,
    rounds: number,
    rollAfterMs: number,
    load: (name: string) => Promise<Figures>,
  ): Promise<Rounds> {
    const all = { without: [] as Figures[], with: [] as Figures[] };
    for (let round = 1; round <= rounds; round++) {
      all.without.push(await load(`without${round}`));
      const roll = this.roll(rollAfterMs);
      all.with.push(await load(`with${round}`));
      await roll;
      const [without, during] = [p99(all.without.at(-1)), p99(all.with.at(-1))];
      this.say(`${title}, round ${round}: p99 ${without} ms without a roll, ${during} ms with one`);
    }
    return all;
  }

  /** Replaces every worker, one after another. */
  private async roll(afterMs: number): Promise<void> {
    await systemClock.sleep(afterMs);
    const begunMs = systemClock.monotonic();
    await this.command('restart');
    this.rollsMs.push(systemClock.monotonic() - begunMs);
  }

  private async command(...args: string[]): Promise<void> {
    const { code, stderr } = await runCli(args, { environment: this.environment });
    if (code !== 0) throw new Error(`downspout ${args[0]} failed: ${stderr}`);
  }

  private work(name: string, count: number): Workload {
    const { accounts, payload } = this.options;
    return { name, count, accounts, payloadBytes: Math.min(...payload), url: this.url };
  }
}

function p99(figures: Figures | undefined): number {
  return figures?.lateness?.p99 ?? Number.POSITIVE_INFINITY;
}
