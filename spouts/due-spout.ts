import type { Clock, DatabaseClock } from '../topology/core/clock';
import type { Pauses } from '../topology/core/pauses';
import type { Assignment, Emit, PartitionOf, Spout } from '../topology/core/spout';
import type { Tuple } from '../topology/core/tuple';
import { channelGauge, type Gauges } from '../topology/gauges';
import type { ScheduleChange } from '../topology/streams';
import type { Acks } from './acks';
import type { CdcHealth } from './cdc-health';
import { CdcWatch } from './cdc-watch';
import type { ChannelMemory, DueChannel } from './channel-memory';
import type { DeploymentHealth } from './deployment-health';
import { DeploymentWatch } from './deployment-watch';
import { AckReader } from './emit/ack-reader';
import { Emission } from './emit/emission';
import { EmitOrder } from './emit/emit-order';
import { Pending } from './emit/pending';
import type { AccountMemory } from './memory/accounts';
import { Entries } from './memory/entries';
import type { OpenRows } from './open-rows';
import { BucketReader } from './read/bucket-reader';
import { DatabaseContact } from './read/database-contact';
import { Reconcile } from './read/reconcile';
import { ResumeWatch } from './resume-watch';
import type { SuspendedRows } from './suspended-rows';

/** An event that was committed longer ago is a replay, or the spout has read its row since then. */
const STALE_AFTER_MS = 60_000;
/** An account may have this many times its `maxPendingPerAccount` waiting in memory. */
const WAITING_PER_PENDING = 2;

export interface DueSpoutSettings {
  /** How long before its wake a message is emitted. */
  readonly leadMs: number;
  readonly reconcileIntervalMs: number;
  /** Per channel. */
  readonly maxPending: number;
  readonly maxPendingPerAccount: number;
  /** Rows in memory, per channel. */
  readonly maxEntries: number;
}

export interface DueSpoutOptions {
  readonly channels: readonly DueChannel[];
  readonly settings: DueSpoutSettings;
  readonly rows: OpenRows;
  readonly acks: Acks;
  readonly emit: Emit;
  readonly partitionOf: PartitionOf;
  readonly pauses: Pauses;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly cdcHealth?: CdcHealth;
  readonly deploymentHealth?: DeploymentHealth;
  readonly suspendedRows?: SuspendedRows;
  /** Takes everything that was thrown. The spout retries after Unavailable; after anything else, a bug, the worker must end. */
  readonly onError: (error: unknown) => void;
}

/**
 * Emits every message at its wake − lead.
 *
 * 1. Every row that has woken is emitted while any replica runs, with or without CDC.
 * 2. Memory and work are bounded by configuration, not by the table.
 * 3. No flood: a tuple is emitted again only if it was acked (or is gone from Kafka) and the row still waits, and once more
 *    at most when the partition changes its owner. (The spout repeats a produce that was not confirmed, with back-off.)
 * 4. A slow or paused channel or account stalls only itself, however many rows wait on it.
 */
export class DueSpout implements Spout<ScheduleChange> {
  private readonly channels: readonly ChannelMemory[];
  private readonly byName: ReadonlyMap<string, ChannelMemory>;
  private readonly bucketReader: BucketReader;
  private readonly reconcile: Reconcile;
  private readonly cdcWatch: CdcWatch | undefined;
  private readonly deploymentWatch: DeploymentWatch | undefined;
  private readonly resumeWatch: ResumeWatch | undefined;
  private partitionCount = 0;

  constructor(private readonly options: DueSpoutOptions) {
    const { clock, databaseClock, settings, cdcHealth, deploymentHealth, suspendedRows, onError } = options;
    const rows = new DatabaseContact(options.rows, clock);
    this.channels = options.channels.map((channel) => this.memoryOf(channel));
    this.byName = new Map(this.channels.map((channel) => [channel.name, channel]));
    const common = { channels: this.channels, rows, clock, databaseClock, onError };
    this.bucketReader = new BucketReader(common);
    this.reconcile = new Reconcile({ ...common, intervalMs: settings.reconcileIntervalMs });
    this.cdcWatch = cdcHealth && new CdcWatch(cdcHealth, clock, onError);
    this.deploymentWatch = deploymentHealth && new DeploymentWatch(deploymentHealth, clock, onError);
    this.resumeWatch = suspendedRows && new ResumeWatch(suspendedRows, clock, onError);
  }

  readonly open = async (): Promise<void> => {
    for (const { ackReader } of this.channels) ackReader.open();
    this.bucketReader.kick();
    this.reconcile.open();
  };

  readonly assigned = ({ partitions, of }: Assignment): void => {
    const owned = new Set(partitions);
    const startOver = of !== this.partitionCount;
    this.partitionCount = of;
    for (const { entries } of this.channels) entries.assign((shard) => owned.has(shard % of), startOver);
    this.bucketReader.kick();
    this.cdcWatch?.assigned(partitions);
    this.deploymentWatch?.assigned(partitions);
    this.resumeWatch?.assigned(partitions);
  };

  readonly feed = (changes: readonly Tuple<ScheduleChange>[]): void => {
    const now = this.options.databaseClock.earliest();
    let mayHaveRetreated = false;
    for (const { value } of changes) {
      const own = this.byName.get(value.channel);
      const isStale = value.committedAt < now - STALE_AFTER_MS;
      own?.entries.merge(value, isStale, now);
      if (isStale) mayHaveRetreated = true;
      if (own !== undefined && this.channels.length === 1) continue;
      for (const { entries } of this.channels) if (entries !== own?.entries) entries.forget(value.id, value.version);
    }
    for (const { emission } of this.channels) emission.kick();
    if (mayHaveRetreated) this.bucketReader.kick();
  };

  readonly close = async (): Promise<void> => {
    this.deploymentWatch?.close();
    await Promise.all([
      this.cdcWatch?.close(),
      this.bucketReader.close(),
      this.reconcile.close(),
      this.resumeWatch?.close(),
      ...this.channels.flatMap(({ emission, ackReader }) => [emission.close(), ackReader.close()]),
    ]);
  };

  readonly gauges = (): Gauges => {
    const gauges: { -readonly [name in keyof Gauges]: Gauges[name] } = { ...this.deploymentWatch?.gauges() };
    const now = this.options.databaseClock.earliest();
    for (const channel of this.channels) {
      const { name, entries, emission } = channel;
      gauges[channelGauge('pending', name)] = entries.pending;
      gauges[channelGauge('emitting', name)] = emission.appends;
      gauges[channelGauge('entries', name)] = entries.size;
      gauges[channelGauge('buckets', name)] = entries.buckets.count;
      gauges[channelGauge('blocked_accounts', name)] = entries.parked.accounts;
      gauges[channelGauge('overflowed_accounts', name)] = entries.accounts.overflowed.size;
      gauges[channelGauge('reconcile_age_ms', name)] = this.reconcile.ageMs(channel);
      const distance = entries.frontier.earliest() - now;
      if (Number.isFinite(distance)) gauges[channelGauge('frontier_ms', name)] = distance;
    }
    const { silentForMs, failed, obstacles } = this.cdcWatch ?? {};
    if (silentForMs !== undefined) gauges.cdc_silent_ms = silentForMs;
    if (failed !== undefined) gauges.cdc_failed = failed;
    if (obstacles !== undefined) gauges.cdc_obstacles = obstacles;
    return gauges;
  };

  private memoryOf(channel: DueChannel): ChannelMemory {
    const { settings, emit, partitionOf, acks, pauses, clock, databaseClock, onError } = this.options;
    const { maxPending, maxPendingPerAccount, maxEntries, leadMs } = settings;
    const mostOfAccount = Math.min(maxPendingPerAccount, channel.maxPendingPerAccount ?? maxPendingPerAccount);
    const entries = new Entries(maxEntries, maxPendingPerAccount * WAITING_PER_PENDING);
    const pending = new Pending();
    const isPaused = (account: AccountMemory) => pauses.paused(channel.name, account.name);
    const emitOrder = new EmitOrder(
      entries,
      (account) => account.pending < mostOfAccount && !isPaused(account) && !emission.isStuck(account),
    );
    const common = { channel: channel.name, entries, pending, emitOrder, clock, onError };
    const emission: Emission = new Emission({
      ...common,
      stream: channel.stream,
      leadMs,
      maxPending,
      emit,
      partitionOf,
      databaseClock,
      pauses,
    });
    const ackReader = new AckReader({ ...common, acks, emission, onRoom: () => this.bucketReader.kick() });
    return { ...channel, entries, emission, ackReader, isPaused };
  }
}
