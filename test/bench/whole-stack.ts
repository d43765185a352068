import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { provision } from '../../deploy/provision';
import { NativeStack } from '../../deploy/stack/native-stack';
import { systemClock } from '../../topology/core/clock';
import { readEnvironment, readStackVariables } from '../../topology/settings/environment';
import { packageRoot } from '../../topology/settings/package';
import { parseTopologySettings } from '../../topology/settings/topology-settings';
import { Supervisor } from '../support/stack/supervisor';
import { topologyFile } from '../support/stack/topology-file';
import type { Watched } from './process-usage';

/** A channel that only tests have, so that `webhook` works while this one is paused. */
export const PAUSED_CHANNEL = 'second';

/** How long a worker may take to drain. */
const DRAIN_MS = 15_000;

/** The system under test: a stack of its own, and worker processes as `downspout worker` starts them. */
export class WholeStack {
  private spouts: Supervisor | null = null;
  private bolts: Supervisor | null = null;
  private topology = '';
  private starts = 0;
  /** Workers that ended by themselves and were started again. */
  deaths = 0;

  private constructor(
    private readonly folder: string,
    private readonly stack: NativeStack,
    readonly settings: Readonly<Record<string, string>>,
    private readonly say: (text: string) => void,
    private readonly withPaused: boolean,
  ) {}

  /**
   * @param say takes a line about what is going on
   * @param withPaused whether there is a second channel, to be paused
   */
  static async start(say: (text: string) => void, withPaused: boolean): Promise<WholeStack> {
    const folder = join(packageRoot(), '.downspout', 'bench');
    rmSync(join(folder, 'workers'), { recursive: true, force: true });
    mkdirSync(join(folder, 'workers'), { recursive: true });
    const stack = new NativeStack({ folder, clock: systemClock, variables: readStackVariables() });
    // What an interrupted run left over would be measured too.
    await stack.down(true, () => undefined);
    try {
      const settings = await stack.up(({ part, stage, text }) => {
        if (stage !== 'starting') say(`${part}: ${text}`);
      });
      const report = (step: string, text: string) => say(`${step}: ${text}`);
      await provision(
        readEnvironment(settings, {}),
        parseTopologySettings(topologyOf(withPaused), 'topology of the benchmark'),
        systemClock,
        report,
      );
      return new WholeStack(folder, stack, settings, say, withPaused);
    } catch (error) {
      await stack.down(true, () => undefined);
      throw error;
    }
  }

  /** Starts two workers of each component. @param claimAheadMaxMs 0 for none */
  startWorkers(claimAheadMaxMs: number): void {
    this.topology = join(this.folder, 'workers', 'topology.yaml');
    writeFileSync(this.topology, topologyOf(this.withPaused, { claimAheadMax: `${claimAheadMaxMs}ms` }));
    this.startSpouts();
    this.bolts = this.startComponent('webhook');
  }

  /**
   * Starts two workers of each component with the topology.yaml that comes with the package.
   * @param own their settings
   * @param bolt what is changed of the bolt's in that file
   */
  startWorkersAsShipped(own: Readonly<Record<string, string>>, bolt?: object): void {
    if (bolt === undefined) this.topology = join(packageRoot(), 'topology.yaml');
    else {
      this.topology = join(this.folder, 'workers', 'topology.yaml');
      const changed = topologyFile((components) => ({ ...components, webhook: { ...components['webhook'], ...bolt } }));
      writeFileSync(this.topology, changed);
    }
    this.spouts = this.startComponent('due', own);
    this.bolts = this.startComponent('webhook', own);
  }

  /** Ends all workers; those that do not drain in time are killed. */
  async endWorkers(limitMs: number): Promise<void> {
    await Promise.all([this.bolts?.stop(limitMs), this.spouts?.stop(limitMs)]);
    this.bolts = null;
    this.spouts = null;
  }

  /** Where the broker keeps its logs. */
  get kafkaLogs(): string {
    return join(this.folder, 'kafka', 'data');
  }

  get workers(): Watched[] {
    const workers = [...(this.spouts?.workers() ?? []), ...(this.bolts?.workers() ?? [])];
    return workers.flatMap(({ name, pid }) => (pid === null ? [] : [{ name, pid }]));
  }

  startSpouts(): void {
    this.spouts = this.startComponent('due');
  }

  async stopSpouts(): Promise<void> {
    const killed = (await this.spouts?.stop(DRAIN_MS)) ?? [];
    this.spouts = null;
    if (killed.length > 0) throw new Error(`${killed.join(', ')} did not end within ${DRAIN_MS / 1_000} s`);
  }

  async stopWorkers(): Promise<void> {
    const killed = (await this.bolts?.stop(DRAIN_MS)) ?? [];
    this.bolts = null;
    await this.stopSpouts();
    if (killed.length > 0) throw new Error(`${killed.join(', ')} did not drain within ${DRAIN_MS / 1_000} s`);
  }

  /** Every process of the system, by what it does. */
  watched(): Watched[] {
    const parts = this.stack.running().filter(({ alive, part }) => alive && part !== 'prometheus');
    return [...this.workers, ...parts.map(({ part, pid }) => ({ name: part, pid }))];
  }

  async stop(): Promise<void> {
    try {
      await this.stopWorkers();
    } finally {
      await this.stack.down(true, () => undefined);
    }
  }

  private startComponent(component: string, own: Readonly<Record<string, string>> = {}): Supervisor {
    this.starts++;
    const dist = join(packageRoot(), 'dist');
    const worker = this.withPaused
      ? [join(dist, 'test', 'support', 'stack', 'worker.js')]
      : [join(dist, 'deploy', 'cli', 'downspout.js'), 'worker', '--component'];
    const target = new Supervisor({
      clock: systemClock,
      workers: [1, 2].map((n) => ({ name: `${component}-${n}`, args: [...worker, component] })),
      settings: {
        ...this.settings,
        DOWNSPOUT_TOPOLOGY: this.topology,
        WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
        ...own,
      },
      logFolder: join(this.folder, 'workers', String(this.starts)),
      onEvent: (text) => {
        this.deaths++;
        this.say(text);
      },
    });
    target.start();
    return target;
  }
}

function topologyOf(withPaused: boolean, webhook: Readonly<Record<string, unknown>> = {}): string {
  return topologyFile((components) => ({
    ...components,
    webhook: { ...components['webhook'], ...webhook },
    ...(withPaused ? { [PAUSED_CHANNEL]: { ...components['webhook'] } } : {}),
  }));
}
