import { sendsAgainAtOnce } from '../../../bolts/send/doubt';
import { SendBolt, type SendBoltSettings } from '../../../bolts/send-bolt';
import { DueSpout, type DueSpoutSettings } from '../../../spouts/due-spout';
import type { Bolt } from '../../../topology/core/bolt';
import { Unavailable } from '../../../topology/core/errors';
import { fieldsGrouping } from '../../../topology/core/grouping';
import type { LatenessPolicy } from '../../../topology/core/lateness';
import { type Limits, mostAtOnce } from '../../../topology/core/limits';
import type { RetryPolicy } from '../../../topology/core/retry-policy';
import type { Spout } from '../../../topology/core/spout';
import type { Codec } from '../../../topology/core/stream';
import { TopologyBuilder } from '../../../topology/core/topology';
import { type ChannelGaugeName, type GaugeName, gaugeParts } from '../../../topology/gauges';
import { BoltTask } from '../../../topology/runtime/bolt-task';
import { emitterOf } from '../../../topology/runtime/emitter';
import { Ending } from '../../../topology/runtime/ending';
import { Session } from '../../../topology/runtime/session';
import { SpoutTask } from '../../../topology/runtime/spout-task';
import type { Task } from '../../../topology/runtime/task';
import { type Due, due, type ScheduleChange, scheduleChanges } from '../../../topology/streams';
import type { MemoryDatabase } from '../../support/mysql/memory-database';
import type { Random } from '../../support/random';
import { accountsOf } from './accounts';
import { DatabaseLink } from './database-link';
import type { Link } from './link';
import type { Machine } from './machine';
import type { SimulatedProvider } from './provider';
import type { Sabotage } from './sabotage';
import type { SimulatedStreams } from './streams';

const WORK_LEFT: ReadonlySet<string> = new Set<GaugeName | ChannelGaugeName>([
  'pending',
  'entries',
  'held',
  'claimed_waiting',
  'in_flight',
  'unwritten',
  'uncommitted',
  'feed_lag',
]);

export interface WorkerOptions {
  readonly spouts: boolean;
  readonly bolts: boolean;
  readonly machine: Machine;
  readonly random: Random;
  readonly database: MemoryDatabase;
  readonly link: Link;
  readonly streams: SimulatedStreams;
  readonly providers: readonly SimulatedProvider[];
  readonly spout: DueSpoutSettings;
  readonly bolt: SendBoltSettings;
  readonly retry: RetryPolicy;
  /** Of every channel. */
  readonly lateness: LatenessPolicy;
  readonly limits: Limits | undefined;
  /** Accounts need credentials, which may be revoked. */
  readonly hasAccounts: boolean;
  /** Ways to the database and back, as factors. */
  readonly slow: { readonly there: number; readonly back: number };
  readonly sabotage: Sabotage;
  /** It ends itself: its session is dead, or it could not start. */
  readonly onEnd: () => void;
  readonly onBug: (error: unknown) => void;
}

const changes: Codec<ScheduleChange> = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(bytes.toString()) as ScheduleChange,
};

/** One worker process: the real session, tasks, spout and bolts; everything around them is simulated. */
export class SimulatedWorker {
  readonly session: Session;
  readonly database: DatabaseLink;
  readonly tasks: Task[] = [];
  private opened = false;
  private stopping = false;

  constructor(readonly options: WorkerOptions) {
    const { machine, random, database, link, sabotage, spouts, bolts, providers } = options;
    this.database = new DatabaseLink(database, link, machine, sabotage);
    Object.assign(this.database.slow, options.slow);
    const session = Array.from({ length: 32 }, () => random.integer(0, 15).toString(16)).join('');
    this.session = new Session({
      registry: this.database.registry(),
      identity: { session, components: [], host: 'host', pid: 1, version: '0', statusUrl: null },
      clock: machine,
      report: () => ({ partitions: {}, gauges: {} }),
      onDead: () => machine.after(random.between(0, 1_000), options.onEnd),
      onError: (error) => this.failed(error),
    });
    if (spouts) this.tasks.push(this.spoutTask());
    if (bolts) for (const provider of providers) this.tasks.push(this.boltTask(provider));
  }

  async start(): Promise<void> {
    try {
      await this.session.open();
      for (const task of this.tasks) await task.open();
      this.opened = true;
    } catch (error) {
      this.failed(error);
      this.options.onEnd();
    }
  }

  /** As at SIGTERM. */
  async stop(): Promise<void> {
    if (!this.opened || this.stopping) return;
    this.stopping = true;
    try {
      const ending = new Ending(this.options.machine, (error) => this.failed(error));
      const finished = await Promise.all(this.tasks.map((task) => task.stop(ending)));
      await this.session.close(!finished.includes(false));
    } catch (error) {
      this.failed(error);
    }
    this.options.onEnd();
  }

  /** What is pending or held. */
  left(): number {
    let left = 0;
    for (const task of this.tasks) {
      for (const [name, value] of Object.entries(task.gauges())) {
        if (WORK_LEFT.has(gaugeParts(name).name)) left += value;
      }
    }
    return left;
  }

  /** Bytes that its bolts hold. */
  heldBytes(): number {
    return this.tasks.reduce((sum, task) => sum + (task.gauges()['held_bytes'] ?? 0), 0);
  }

  private failed(error: unknown): void {
    if (!(error instanceof Unavailable)) this.options.onBug(error);
  }

  private context() {
    const { machine, sabotage } = this.options;
    const { session } = this;
    const databaseClock = sabotage.databaseClock?.(session.databaseClock) ?? session.databaseClock;
    return { clock: machine, databaseClock, lease: sabotage.lease?.(session) ?? session };
  }

  private spoutTask(): Task {
    const { streams, machine, providers, spout: settings, sabotage } = this.options;
    const client = streams.client(machine);
    const onError = (error: unknown) => this.failed(error);
    const names = providers.map(({ name }) => name);
    const feed = scheduleChanges(changes);
    const outlets = names.map((name) => due(name));
    const builder = new TopologyBuilder().spout('due', { feed, emits: outlets, create: unused });
    for (const outlet of outlets) {
      builder.bolt(outlet.name.slice('due.'.length), {
        reads: outlet,
        grouping: fieldsGrouping('account'),
        create: unused,
      });
    }
    const now = () => this.session.databaseClock.earliest();
    const own = this.database.openRows();
    const rows = sabotage.pages?.(own, now) ?? own;
    const acks = sabotage.acks?.(streams.acks(machine), own, now) ?? streams.acks(machine);
    const spout: Spout<ScheduleChange> = new DueSpout({
      ...this.context(),
      pauses: this.session,
      channels: providers.map((provider) => ({
        ...(this.options.limits === undefined ? {} : { maxPendingPerAccount: mostAtOnce(this.options.limits) }),
        name: provider.name,
        stream: due(provider.name),
        recoverDelayMs: sabotage.recoverDelay ?? this.recoverDelay(provider),
      })),
      settings,
      rows,
      ...(this.options.hasAccounts ? { suspendedRows: this.database.suspendedRows() } : {}),
      acks,
      ...emitterOf(builder.build(), 'due', client),
      onError,
    });
    const part = { name: 'due', feed };
    return new SpoutTask({
      part,
      spout,
      streams: client,
      clock: machine,
      onSkip: this.options.onBug,
      onError,
    } as never);
  }

  private boltTask(provider: SimulatedProvider): Task {
    const { streams, machine, bolt: settings, sabotage, retry, lateness, random, onBug } = this.options;
    const { name } = provider;
    const accounts = accountsOf(name, machine, this.database.secretsOf(name), sabotage.triedAfter);
    const own = provider.channel(machine, this.session.session, this.options.hasAccounts ? accounts : undefined);
    const real: Bolt<Due> = new SendBolt({
      ...this.context(),
      pauses: this.session.pausesOfBolts,
      channel: sabotage.channel?.(own as never) ?? (own as never),
      settings: sabotage.boltSettings?.(settings) ?? settings,
      retry,
      lateness: sabotage.lateness?.(lateness) ?? lateness,
      limits: this.options.limits,
      sendLimits: this.database.sendLimits(name),
      rows: sabotage.answers?.(this.database.sendRows()) ?? this.database.sendRows(),
      deploymentId: () => 'ab'.repeat(16),
      random: random.next,
      onError: (_, error) => this.failed(error),
      onBug,
    });
    const bolt = sabotage.bolt?.(real, this.options.database) ?? real;
    return new BoltTask({
      part: { name: provider.name, reads: due(provider.name) },
      bolt,
      streams: streams.client(machine),
      clock: machine,
      onSkip: onBug,
      onError: (error) => this.failed(error),
    });
  }

  /** A lookup says nothing before what was started can no longer be accepted, and a brief key may not be written. */
  private recoverDelay(provider: SimulatedProvider): number {
    const channel = provider.channel(this.options.machine, '');
    return sendsAgainAtOnce(channel) ? 0 : channel.acceptedWithin;
  }
}

function unused(): never {
  throw new Error('parts are made by hand here');
}
