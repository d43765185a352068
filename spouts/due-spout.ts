import type { Clock, DatabaseClock } from '../topology/core/clock';
import type { Pauses } from '../topology/core/pauses';
import type { Assignment, Emit, Spout } from '../topology/core/spout';
import type { Tuple } from '../topology/core/tuple';
import { channelGauge, type Gauges } from '../topology/gauges';
import type { ScheduleChange } from '../topology/streams';
import type { Acks } from './acks';
import type { CdcHealth } from './cdc-health';
import { CdcWatch } from './cdc-watch';
import type { ChannelMemory, DueChannel } from './channel-memory';
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

/** An event that was committed longer ago is a replay, or has been overtaken by reading. Milliseconds. */
const OLD = 60_000;
/** An account may have this many times its pending budget waiting in memory. */
const WAITING_PER_PENDING = 2;

export interface DueSpoutSettings {
  /** How long before its wake a message is emitted, milliseconds. */
  readonly leadMs: number;
  /** Milliseconds. */
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
  readonly pauses: Pauses;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly cdcHealth?: CdcHealth;
  /** Told all that was thrown. Unavailable is tried again here; after anything else, which is a bug, the worker must end. */
  readonly onError: (error: unknown) => void;
}

/**
 * Emits every message at its wake − lead. What it guarantees:
 *
 * 1. Every row that has woken is emitted while any replica runs, with or without CDC.
 * 2. Memory and work are bounded by configuration, not by the table.
 * 3. No flood: a tuple is emitted again only if it was acked (or is gone from Kafka) and the row still waits, and once more
 *    at most when the partition changes its owner. (A produce that was not confirmed is repeated, backing off.)
 * 4. A slow or paused channel or account stalls only itself, however many rows wait on it.
 */
export class DueSpout implements Spout<ScheduleChange> {
  private readonly channels: readonly ChannelMemory[];
  private readonly byName: ReadonlyMap<string, ChannelMemory>;
  private readonly opening: BucketReader;
  private readonly reconcile: Reconcile;
  private readonly cdcWatch: CdcWatch | undefined;
  private of = 0;

  constructor(private readonly options: DueSpoutOptions) {
    const { clock, databaseClock, settings, cdcHealth, onError } = options;
    const rows = new DatabaseContact(options.rows, clock);
    this.channels = options.channels.map((channel) => this.share(channel));
    this.byName = new Map(this.channels.map((channel) => [channel.name, channel]));
    const common = { channels: this.channels, rows, clock, databaseClock, onError };
    this.opening = new BucketReader(common);
    this.reconcile = new Reconcile({ ...common, interval: settings.reconcileIntervalMs });
    this.cdcWatch = cdcHealth && new CdcWatch(cdcHealth, clock, onError);
  }

  readonly open = async (): Promise<void> => {
    for (const { acking } of this.channels) acking.open();
    this.opening.kick();
    this.reconcile.open();
  };

  readonly assigned = ({ partitions, of }: Assignment): void => {
    const owned = new Set(partitions);
    const afresh = of !== this.of;
    this.of = of;
    for (const { entries } of this.channels) entries.assign((shard) => owned.has(shard % of), afresh);
    this.opening.kick();
    this.cdcWatch?.assigned(partitions);
  };

  readonly feed = (changes: readonly Tuple<ScheduleChange>[]): void => {
    const now = this.options.databaseClock.earliest();
    let isRead = false;
    for (const { value } of changes) {
      const own = this.byName.get(value.channel);
      const isOld = value.committedAt < now - OLD;
      own?.entries.merge(value, isOld, now);
      if (isOld) isRead = true;
      if (own !== undefined && this.channels.length === 1) continue;
      for (const { entries } of this.channels) if (entries !== own?.entries) entries.forget(value.id, value.version);
    }
    for (const { emission } of this.channels) emission.kick();
    if (isRead) this.opening.kick();
  };

  readonly close = async (): Promise<void> => {
    await Promise.all([
      this.opening.close(),
      this.reconcile.close(),
      this.cdcWatch?.close(),
      ...this.channels.flatMap(({ emission, acking }) => [emission.close(), acking.close()]),
    ]);
  };

  readonly gauges = (): Gauges => {
    const gauges: { -readonly [name in keyof Gauges]: Gauges[name] } = {};
    const now = this.options.databaseClock.earliest();
    for (const channel of this.channels) {
      const { name, entries } = channel;
      gauges[channelGauge('pending', name)] = entries.pending;
      gauges[channelGauge('entries', name)] = entries.size;
      gauges[channelGauge('buckets', name)] = entries.buckets.count;
      gauges[channelGauge('blocked_accounts', name)] = entries.blocked.size;
      gauges[channelGauge('overflowed_accounts', name)] = entries.accounts.overflowed.size;
      gauges[channelGauge('reconcile_age_ms', name)] = this.reconcile.age(channel);
      const distance = entries.frontier.earliest() - now;
      if (Number.isFinite(distance)) gauges[channelGauge('frontier_ms', name)] = distance;
    }
    const { lagMs, failed } = this.cdcWatch ?? {};
    if (lagMs !== undefined) gauges.cdc_silent_ms = lagMs;
    if (failed !== undefined) gauges.cdc_failed = failed;
    return gauges;
  };

  private share(channel: DueChannel): ChannelMemory {
    const { settings, emit, acks, pauses, clock, databaseClock, onError } = this.options;
    const { maxPending, maxPendingPerAccount, maxEntries, leadMs } = settings;
    const entries = new Entries(maxEntries, maxPendingPerAccount * WAITING_PER_PENDING);
    const pending = new Pending();
    const isPaused = (account: AccountMemory) => pauses.paused(channel.name, account.name);
    const woken = new EmitOrder(entries, (account) => account.pending < maxPendingPerAccount && !isPaused(account));
    const common = { channel: channel.name, entries, pending, woken, clock, onError };
    const emission = new Emission({
      ...common,
      stream: channel.stream,
      leadMs,
      maxPending,
      emit,
      databaseClock,
      pauses,
    });
    const acking = new AckReader({ ...common, acks, emission, onRoom: () => this.opening.kick() });
    return { ...channel, entries, emission, acking, isPaused };
  }
}
