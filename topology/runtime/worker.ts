import type { Clock } from '../core/clock';
import { reasonOf, Unavailable, UserError } from '../core/errors';
import type { BoltContext, Topology } from '../core/topology';
import { BoltTask } from './bolt-task';
import type { SkippedRecord } from './decode';
import { emitterOf } from './emitter';
import { Ending, untilAborted, within } from './ending';
import type { Log } from './log';
import type { Metrics } from './metrics';
import { type Observer, observedBolt, observedEmit, observedSpout, observedStreams } from './observe';
import { Presence } from './presence';
import { Seldom } from './seldom';
import { Session } from './session';
import { SpoutTask } from './spout-task';
import type { Readiness } from './status-server';
import type { StreamsClient } from './streams-client';
import type { Task } from './task';
import type { WorkerIdentity, WorkerRegistry, WorkerReport } from './worker-registry';

/** Between two tries to reach a part that is away at the start. */
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 2_000;
/**
 * How long an end waits for starting, joining and leaving groups that had begun, and for the registry. Where one part of the
 * stack does not answer, that and what tasks wait for it take less than any limit for draining, so that the worker gives up
 * what hangs and does the rest.
 */
const START_LIMIT_MS = 3_000;
const REGISTRY_LIMIT_MS = 2_000;

export interface WorkerOptions {
  readonly topology: Topology;
  readonly identity: WorkerIdentity;
  readonly streams: StreamsClient;
  readonly registry: WorkerRegistry;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /**
   * Checks once, before anything is registered, that the worker may run here. Unavailable is waited for; a UserError ends the
   * worker.
   */
  readonly mayRun?: () => Promise<void>;
  /** How long ending in good order may take. */
  readonly drainLimitMs: number;
}

/**
 * Runs the tasks of some components.
 *
 * 1. It ends with a code that is not 0 when it cannot go on: its session was marked dead, a consumer is out of its group for
 *    good, or a bug showed. Its engine starts it again.
 * 2. After `stop` it takes nothing new, finishes what is claimed, commits, leaves the groups and then the registry.
 * 3. Ending takes the limit at most; what is not finished then keeps its lease, so its rows are recovered when that is out. The
 *    log says what was left, and the code is 1.
 * 4. A part of the stack that is away is waited for, at the start too: the status says what the worker waits for.
 * 5. When its lease has been out for long, its partitions move to workers that can do the work, and it joins again when it holds.
 */
export class Worker {
  private readonly session: Session;
  private readonly observer: Observer;
  private readonly tasks: Task[];
  private readonly seldom: Seldom;
  /** What has to answer before the worker can run, by who asks. */
  private readonly waitsFor = new Map<string, string>();
  private readonly ending = new AbortController();
  /** Why the lease was not renewed the last time that it was not. */
  private leaseWaitsFor = 'the database does not answer';
  private state: 'starting' | 'running' | 'stopping' = 'starting';
  private watching: Promise<void> = Promise.resolve();
  private code = 0;

  /** @throws UserError for a component that the topology does not have */
  constructor(private readonly options: WorkerOptions) {
    const { identity, registry, clock, metrics, log } = options;
    this.observer = { metrics, log, clock };
    this.seldom = new Seldom(clock);
    this.session = new Session({
      registry,
      identity,
      clock,
      report: () => this.report(),
      onDead: (why) => this.fail(new Error(why)),
      onError: (error) => {
        this.leaseWaitsFor = reasonOf(error);
        this.onError('session', error);
      },
    });
    this.tasks = identity.components.map((component) => this.createTask(component));
    for (const task of this.tasks) {
      metrics.watch(task.component, () => ({ ...task.gauges(), partitions: task.partitions.length }));
    }
    metrics.watch('session', () => ({ lease_holds: Number(this.session.holds()) }));
  }

  /** Runs until `stop` or a failure. @returns the exit code */
  async run(): Promise<number> {
    const { log, identity, clock, drainLimitMs } = this.options;
    const opening = this.open().catch((error: unknown) => this.fail(error));
    await untilAborted(this.ending.signal);
    this.state = 'stopping';
    log.info({ session: identity.session, limitMs: drainLimitMs }, 'draining');
    const ending = new Ending(clock, (error) => this.onError('ending', error));
    const inTime = await within(clock, drainLimitMs, this.drain(opening, ending));
    const { left } = ending;
    if (!inTime) log.error({ limitMs: drainLimitMs, left }, 'not drained within the limit');
    else if (left.length > 0) log.error({ left }, 'drained; what did not answer was left');
    if (!inTime || left.length > 0) this.code = 1;
    log.info({ session: identity.session, code: this.code }, 'ended');
    return this.code;
  }

  /** Begins the end in good order. */
  stop(): void {
    this.ending.abort();
  }

  /** Ends the worker because of a bug that showed outside of it. */
  fail(error: unknown): void {
    const details = error instanceof UserError || error instanceof Unavailable ? {} : { err: error };
    this.options.log.fatal(details, `ending: ${reasonOf(error)}`);
    this.code = 1;
    this.ending.abort();
  }

  status(): Readiness {
    const reasons = [
      ...(this.state === 'running' ? [] : [this.state]),
      ...[...this.waitsFor].map(([who, reason]) => `${who} waits: ${reason}`),
      ...(this.state === 'starting' ? [] : this.standstill()),
    ];
    const { session, place } = this.options.identity;
    return { session, release: place?.releaseNumber ?? null, reasons, partitions: this.report().partitions };
  }

  /** Why bolts send nothing, or spouts emit nothing. */
  private standstill(): string[] {
    if (!this.session.holds()) return [`the lease is out: ${this.leaseWaitsFor}`];
    if (this.session.known() || !this.tasks.some((task) => task instanceof SpoutTask)) return [];
    return ['what is paused is not known: the database does not answer in time'];
  }

  private async open(): Promise<void> {
    const { log, identity, mayRun } = this.options;
    if (mayRun !== undefined) await this.untilAnswered('worker', mayRun);
    await this.untilAnswered('session', () => this.session.open());
    await Promise.all(this.tasks.map((task) => this.untilAnswered(task.component, () => task.open())));
    if (this.ending.signal.aborted) return;
    this.state = 'running';
    const open = (task: Task) => this.untilAnswered(task.component, () => task.open());
    const presence = new Presence({ tasks: this.tasks, lease: this.session, clock: this.options.clock, log, open });
    this.watching = presence.watch(this.ending.signal).catch((error: unknown) => this.fail(error));
    // The next regular renewal does it too.
    await this.session.renew().catch((error: unknown) => this.onError('session', error));
    log.info({ session: identity.session, components: identity.components, status: identity.statusUrl }, 'running');
  }

  /** Repeats what a part that is away has stopped, until it is done or the worker ends. */
  private async untilAnswered(who: string, work: () => Promise<void>): Promise<void> {
    const { clock } = this.options;
    for (let delayMs = FIRST_RETRY_MS; !this.ending.signal.aborted; delayMs = Math.min(MAX_RETRY_MS, delayMs * 2)) {
      try {
        await work();
        this.waitsFor.delete(who);
        return;
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        this.waitsFor.set(who, reasonOf(error));
        this.onError(who, error);
      }
      await clock.sleep(delayMs, this.ending.signal);
    }
  }

  /** Does not throw. */
  private async drain(opening: Promise<void>, ending: Ending): Promise<void> {
    // A task that is joining its group leaves it when it has; the others do not wait for that to take nothing new.
    const [finished] = await Promise.all([
      Promise.all(this.tasks.map((task) => task.stop(ending))),
      ending.step('worker: starting', () => opening, START_LIMIT_MS),
      ending.step('worker: joining and leaving groups', () => this.watching, START_LIMIT_MS),
    ]);
    const ownsNothing = !finished.includes(false);
    await ending.step('worker: leaving the registry', () => this.session.close(ownsNothing), REGISTRY_LIMIT_MS);
  }

  private createTask(component: string): Task {
    const { topology, clock, log } = this.options;
    const observer = { ...this.observer, log: log.child({ component }) };
    const streams = observedStreams(this.options.streams, this.observer);
    const context: BoltContext = {
      clock,
      databaseClock: this.session.databaseClock,
      lease: this.session,
      pauses: this.session.pausesOfBolts,
      onError: (error) => this.onError(component, error),
    };
    const common = { streams, onError: context.onError, onSkip: (skipped: SkippedRecord) => this.onSkip(skipped) };
    const bolt = topology.bolts.find(({ name }) => name === component);
    if (bolt !== undefined) {
      const part = observedBolt(component, bolt.create(context), observer);
      return new BoltTask({ ...common, part: bolt, bolt: part, clock });
    }
    const spout = topology.spouts.find(({ name }) => name === component);
    if (spout === undefined) throw new UserError(unknownComponent(component, topology));
    const { emit, partitionOf } = emitterOf(topology, component, streams);
    const own = { ...context, pauses: this.session, emit: observedEmit(emit, observer), partitionOf };
    const part = observedSpout(component, spout.create(own), observer);
    return new SpoutTask({ ...common, part: spout, spout: part, clock });
  }

  private report(): WorkerReport {
    const tasks = this.tasks ?? [];
    return {
      partitions: Object.fromEntries(tasks.map((task) => [task.component, task.partitions])),
      gauges: Object.fromEntries(tasks.map((task) => [task.component, task.gauges()])),
    };
  }

  private onSkip(skipped: SkippedRecord): void {
    const { metrics, log } = this.options;
    metrics.badRecords.inc({ stream: skipped.stream });
    this.seldom.say(`skip ${skipped.stream}`, (leftOut) => log.warn({ ...skipped, leftOut }, 'bad record skipped'));
  }

  private onError(component: string, error: unknown): void {
    if (!(error instanceof Unavailable)) {
      this.fail(error);
      return;
    }
    const { metrics, log } = this.options;
    metrics.unavailable.inc({ component });
    const reason = reasonOf(error);
    this.seldom.say(`${component} ${reason}`, (leftOut) => log.warn({ component, leftOut }, reason));
  }
}

function unknownComponent(component: string, { spouts, bolts }: Topology): string {
  const names = [...spouts, ...bolts].map(({ name }) => name).join(', ');
  return `There is no component "${component}". topology.yaml has: ${names}.`;
}
