import { type PlacementKey, type PlacementRow, placementName } from '../../../connectors/mysql/operators/placements';
import type { SupervisorIdentity } from '../../../connectors/mysql/operators/supervision';
import type { Timer } from '../../../topology/core/clock';
import { reasonOf, Unavailable, UserError } from '../../../topology/core/errors';
import { despiteFailures } from './despite-failures';
import type { HostSupervisorOptions } from './host-supervisor-options';
import { type HostWorker, HostWorkers } from './host-workers';
import type { Generation } from './next-steps';
import { PlacementSlot } from './placement-slot';
import { askWorkers } from './readiness';
import { LEASE_MS, type Shared, Sharing, standingOf } from './sharing';
import { workerArguments } from './stray-workers';

const LOOK_EVERY_MS = 1_000;
/** While a worker starts, it is asked this often whether it is ready. */
const LOOK_WHILE_STARTING_MS = 200;
/** What this host lacks for a release is looked for again after this. */
const RETRY_PROGRAM_MS = 5_000;
/** How long the database may take to hear that this supervisor ends. */
const LEAVE_LIMIT_MS = 2_000;

/**
 * Makes what the table `placements` asks for so on one host.
 *
 * 1. *A worker that dies is started again*, with a delay that doubles, also while the database is away.
 * 2. *Workers go on while the database is away*, and what was asked for meanwhile is caught up with.
 * 3. *A worker is replaced by one that is ready*: the old one drains only then, two seconds later.
 * 4. *What a dead host ran is run here*, up to this host's fair share, without anybody's command.
 * 5. *Nothing is orphaned*: ending drains every worker, and the next life of a supervisor that was killed finds its workers.
 *
 * A worker whose supervisor died goes on sending. Another host may start one in its place: two workers of one component share
 * its partitions as any two do, so no message is harmed. When the supervisor comes back, it drains what is ready elsewhere.
 */
export class HostSupervisor {
  private readonly slots = new Map<string, PlacementSlot<HostWorker>>();
  private readonly workers: HostWorkers;
  private readonly sharing: Sharing;
  private readonly identity: SupervisorIdentity;
  private timer: Timer | null = null;
  private waking = new AbortController();
  private stopping = false;
  private complaint: string | null = null;
  private readonly despite: ReturnType<typeof despiteFailures>;
  private hasLooked = false;

  constructor(private readonly options: HostSupervisorOptions) {
    const { state, host, pid, version, clock, maker, logFolder, settings, supervision, log } = options;
    this.identity = { id: state.id, host, pid, version };
    this.despite = despiteFailures(log);
    this.sharing = new Sharing(state.id, supervision, log);
    const onEnd = (worker: HostWorker, how: string, restartMs: number | null) => this.onEnd(worker, how, restartMs);
    this.workers = new HostWorkers({ clock, maker, logFolder, settings, onEnd });
  }

  /**
   * Runs until the signal aborts, and then ends in good order.
   * @param leavesWorkers they go on without it, for the next life
   * @throws UserError when the database says at the first look that the settings are wrong
   */
  async run(signal: AbortSignal, leavesWorkers: boolean): Promise<void> {
    const { log, state } = this.options;
    for (const survivor of state.survivors) this.workers.adopt(this.slotOf(survivor, survivor), survivor);
    this.remember();
    log.info({ id: state.id, adopted: this.workers.all.length }, 'supervising');
    try {
      await this.lookUntil(signal);
    } catch (error) {
      // A supervisor that looks after nothing must not stay, because as long as it is there no other one begins.
      this.abandon();
      throw error;
    }
    await this.end(leavesWorkers);
  }

  private async lookUntil(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    while (!signal.aborted) {
      const begun = clock.monotonic();
      await this.tryToLook();
      this.despite('logs are not rotated', () => this.workers.rotateLogs());
      const every = this.workers.all.some(({ phase }) => phase === 'starting') ? LOOK_WHILE_STARTING_MS : LOOK_EVERY_MS;
      const wake = AbortSignal.any([signal, this.waking.signal]);
      await clock.sleep(Math.max(0, every - (clock.monotonic() - begun)), wake);
      if (this.waking.signal.aborted) this.waking = new AbortController();
    }
  }

  private async tryToLook(): Promise<void> {
    try {
      await this.look();
      if (!this.hasLooked) this.despite('nothing is remembered', () => this.options.state.looked());
      this.hasLooked = true;
      if (this.complaint !== null) this.options.log.info('the database answers again');
      this.complaint = null;
    } catch (error) {
      this.sharing.forget();
      if (error instanceof UserError && !this.hasLooked) throw error;
      const reason = reasonOf(error);
      const details = error instanceof Unavailable || error instanceof UserError ? {} : { err: error };
      if (this.complaint !== reason) this.options.log.warn(details, `workers go on; ${reason}`);
      this.complaint = reason;
    }
  }

  private async look(): Promise<void> {
    const { supervision, clock, releases } = this.options;
    const view = await supervision.look(this.identity, LEASE_MS);
    const shared = await this.sharing.share(view, (one) => this.isToBeReplaced(one), clock.monotonic());
    const ours = shared.placements.filter(({ supervisor }) => supervisor === this.identity.id);
    await releases.learn(new Set([...ours, ...this.workers.all].map(({ releaseNumber }) => releaseNumber)));
    this.workers.boundAdopted(({ releaseNumber, component }) => releases.drainLimitMs(releaseNumber, component));
    this.place(shared);
    const { ready, urls } = await askWorkers(this.workers.all, view, this.options.readiness);
    for (const worker of ready) this.ready(worker);
    this.tell(urls);
    this.act();
    const now = clock.monotonic();
    const run = [...this.slots.values()].filter(({ standing }) => standing === 'ours');
    await supervision.observe(
      this.identity.id,
      run.map((slot) => ({ ...slot.key, observed: slot.observed(now) })),
    );
  }

  private isToBeReplaced(placement: PlacementRow): boolean {
    return this.slots.get(placementName(placement))?.isToBeReplacedBy(placement) === true;
  }

  /** Tells each slot what is wanted of it. */
  private place({ placements, living }: Shared): void {
    const byName = new Map(placements.map((one) => [placementName(one), one]));
    for (const one of placements) {
      if (one.supervisor === this.identity.id) this.slotOf(one, one).want(one);
    }
    for (const [name, slot] of this.slots) {
      slot.standing = standingOf(byName.get(name), this.identity.id, living);
      if (slot.standing !== 'ours' && slot.processes.length === 0) this.slots.delete(name);
    }
  }

  private ready(worker: HostWorker): void {
    const slot = this.slots.get(placementName(worker));
    if (slot?.becameReady(worker, this.options.clock.monotonic()) === false) return;
    this.options.log.info(aboutOf(worker), 'ready');
    this.remember();
  }

  /** Starts and drains what there is to start and drain now, and sets the timer for the next start. Waits for nothing. */
  private act(): void {
    if (this.stopping) return;
    const { clock } = this.options;
    const now = clock.monotonic();
    let isChanged = false;
    for (const slot of this.slots.values()) {
      const { start, drain } = slot.steps(now);
      for (const generation of start) isChanged = this.launch(slot, generation) || isChanged;
      for (const worker of drain) this.drain(worker);
      isChanged ||= drain.length > 0;
    }
    if (isChanged) this.remember();
    this.timer?.cancel();
    const next = [...this.slots.values()].flatMap((slot) => slot.nextStartMs(now) ?? []);
    this.timer = next.length === 0 ? null : clock.after(Math.min(...next) - now, () => this.act());
  }

  /** @returns whether a process was started */
  private launch(slot: PlacementSlot<HostWorker>, generation: Generation): boolean {
    const { clock, log, releases, statusHost } = this.options;
    const found = releases.programOf(generation.releaseNumber);
    if ('missing' in found) {
      slot.cannotStart(generation, found.missing, clock.monotonic() + RETRY_PROGRAM_MS);
      log.error({ worker: placementName(slot.key) }, `cannot be started: ${found.missing}`);
      return false;
    }
    const { releaseNumber } = generation;
    try {
      this.workers.start(slot, generation, [
        found.program,
        ...workerArguments(slot.key, releaseNumber, this.identity.id, statusHost),
      ]);
      return true;
    } catch (error) {
      // Its log cannot be opened, for example.
      slot.cannotStart(generation, reasonOf(error), clock.monotonic() + RETRY_PROGRAM_MS);
      log.error({ worker: placementName(slot.key) }, `cannot be started: ${reasonOf(error)}`);
      return false;
    }
  }

  private drain(worker: HostWorker): void {
    this.options.log.info(aboutOf(worker), 'draining');
    this.workers.drain(worker, this.options.releases.drainLimitMs(worker.releaseNumber, worker.component));
  }

  private onEnd(worker: HostWorker, how: string, restartMs: number | null): void {
    const { log } = this.options;
    if (restartMs === null) log.info(aboutOf(worker), `ended ${how}`);
    else log.warn({ ...aboutOf(worker), restartMs }, `ended ${how}; it is started again`);
    if (this.stopping) return;
    this.remember();
    this.act();
    // So that the database hears of it at once.
    this.waking.abort();
  }

  private async end(leavesWorkers: boolean): Promise<void> {
    const { clock, log, state, supervision } = this.options;
    this.stopping = true;
    this.timer?.cancel();
    this.tell([]);
    log.info({ workers: this.workers.all.length }, leavesWorkers ? 'ending; workers go on' : 'ending; workers drain');
    if (leavesWorkers) {
      this.abandon();
      return;
    }
    const limit = new AbortController();
    const left = supervision.leave(this.identity.id).catch((error: unknown) => log.warn(reasonOf(error)));
    await Promise.race([left, clock.sleep(LEAVE_LIMIT_MS, limit.signal)]);
    limit.abort();
    for (const worker of this.workers.all) if (worker.phase !== 'draining') this.drain(worker);
    // Whoever finds them after this process was killed must not ask them again: that would end them at once.
    this.remember();
    await this.workers.ended();
    this.despite('nothing is remembered', () => state.close([]));
    log.info('ended');
  }

  /** Ends without its workers, which go on until the next life takes them over. */
  private abandon(): void {
    this.stopping = true;
    this.timer?.cancel();
    this.despite('nothing is remembered', () => this.options.state.close(this.workers.remembered));
    this.workers.release();
  }

  private slotOf({ component, replica }: PlacementKey, wanted: Generation): PlacementSlot<HostWorker> {
    const key = { component, replica };
    const known = this.slots.get(placementName(key));
    if (known !== undefined) return known;
    const slot = new PlacementSlot<HostWorker>(key, wanted, this.workers.logFile(key));
    this.slots.set(placementName(key), slot);
    return slot;
  }

  private tell(urls: readonly string[]): void {
    this.despite('nobody is told where the workers are', () => this.options.onWorkers?.(urls));
  }

  private remember(): void {
    this.despite('nothing is remembered', () => this.options.state.write(this.workers.remembered));
  }
}

function aboutOf(worker: HostWorker) {
  return { worker: placementName(worker), pid: worker.pid, release: worker.releaseNumber };
}
