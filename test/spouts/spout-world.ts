import { crc32 } from 'node:zlib';
import type { CdcHealth } from '../../spouts/cdc-health';
import type { DeploymentHealth } from '../../spouts/deployment-health';
import { DueSpout, type DueSpoutSettings } from '../../spouts/due-spout';
import type { SuspendedRows } from '../../spouts/suspended-rows';
import { Unavailable } from '../../topology/core/errors';
import type { Assignment } from '../../topology/core/spout';
import { type Due, due, type ScheduleChange } from '../../topology/streams';
import { MemoryLog } from '../support/kafka/memory-log';
import { ManualClock } from '../support/manual-clock';
import { MemoryDatabase } from '../support/mysql/memory-database';

export const all: Assignment = { partitions: [0, 1, 2, 3], of: 4 };
const group = 'bolts';
/** Until a change comes through CDC, milliseconds. */
const cdcDelay = 10;

const settings: DueSpoutSettings = {
  leadMs: 2_000,
  reconcileIntervalMs: 2_000,
  maxPending: 50_000,
  maxPendingPerAccount: 1_000,
  maxEntries: 200_000,
};

/** A database, a log, CDC between them and as many spouts as a test wants, in one hand-moved time. */
export class SpoutWorld {
  readonly clock = new ManualClock();
  readonly db = new MemoryDatabase(this.clock);
  readonly log = new MemoryLog(this.clock);
  readonly errors: unknown[] = [];
  /** Off: changes are lost. */
  cdc = true;
  /** Off: the database's clock was not measured. */
  clockKnown = true;
  /** Off: what is paused was not read lately. */
  pausesKnown = true;
  cdcHealth: CdcHealth | undefined;
  deploymentHealth: DeploymentHealth | undefined;
  /** On: spouts schedule suspended rows again. */
  resumes = false;
  /** Of every channel; the spout's own bound counts unless given. */
  maxPendingPerAccount: number | undefined;
  /** Runs before each call of that. */
  onResume: () => void = () => {};
  private readonly running: { readonly spout: DueSpout; assignment: Assignment }[] = [];

  constructor(
    readonly channels: readonly string[] = ['webhook'],
    private readonly changed: Partial<DueSpoutSettings> = {},
  ) {
    for (const channel of channels) this.log.create(`due.${channel}`, 4);
    this.db.onChange((change) => {
      if (this.cdc) this.clock.after(cdcDelay, () => this.tell(change));
    });
  }

  get spouts(): DueSpout[] {
    return this.running.map(({ spout }) => spout);
  }

  get now(): number {
    return this.db.now();
  }

  spout(assignment: Assignment | null = all): DueSpout {
    const spout = new DueSpout({
      channels: this.channels.map((name) => {
        const channel = { name, stream: due(name), recoverDelayMs: 0 };
        const { maxPendingPerAccount } = this;
        return maxPendingPerAccount === undefined ? channel : { ...channel, maxPendingPerAccount };
      }),
      settings: { ...settings, ...this.changed },
      rows: this.db.openRows(),
      acks: this.log.acks(group),
      emit: this.log.emit,
      partitionOf: this.log.partitionOf,
      pauses: {
        known: () => this.pausesKnown,
        awaited: (channel) => this.db.pausedChannels.has(channel),
        channelPaused: (channel) => this.db.pausedChannels.has(channel),
        paused: (channel, account) =>
          this.db.pausedChannels.has(channel) ||
          this.db.pausedAccounts.some((one) => one.channel === channel && one.account === account) ||
          this.db.limits.limited.some((one) => one.channel === channel && one.account === account),
      },
      clock: this.clock,
      databaseClock: {
        earliest: () => (this.clockKnown ? this.db.now() : Number.NEGATIVE_INFINITY),
        latest: () => (this.clockKnown ? this.db.now() : Number.POSITIVE_INFINITY),
      },
      onError: (error) => this.errors.push(error),
      ...(this.cdcHealth && { cdcHealth: this.cdcHealth }),
      ...(this.deploymentHealth && { deploymentHealth: this.deploymentHealth }),
      ...(this.resumes && { suspendedRows: this.suspendedRows() }),
    });
    void spout.open();
    if (assignment !== null) this.assign(spout, assignment);
    return spout;
  }

  private suspendedRows(): SuspendedRows {
    const rows = this.db.suspendedRows();
    return {
      resume: async (after) => {
        this.onResume();
        return rows.resume(after);
      },
    };
  }

  assign(spout: DueSpout, assignment: Assignment): void {
    const known = this.running.find((one) => one.spout === spout);
    if (known === undefined) this.running.push({ spout, assignment });
    else known.assignment = assignment;
    spout.assigned(assignment);
  }

  /** Delivers a change to the spout that owns its partition now. */
  tell(value: ScheduleChange): void {
    for (const { spout, assignment } of this.running) {
      const partition = value.shard % assignment.of;
      if (!assignment.partitions.includes(partition)) continue;
      spout.feed([{ stream: 'schedule-changes', partition, offset: 0, timestamp: this.clock.now(), value }]);
    }
  }

  /** The change that CDC would tell of the row as it is. */
  changeOf(id: number, changed: Partial<ScheduleChange> = {}): ScheduleChange {
    const row = this.db.rows.get(id);
    if (row === undefined) throw new Error(`no row ${id}`);
    const { shard, account, channel, version, dueAt: wakeAt } = row;
    return { id, shard, account, channel, wakeAt, version, deleted: false, committedAt: this.now, ...changed };
  }

  /** All tuples that are in the log, in order per partition. */
  emitted(channel = 'webhook'): (Due & { readonly at: number })[] {
    const topic = `due.${channel}`;
    return Array.from({ length: this.log.partitions(topic) }, (_, partition) =>
      this.log
        .read(topic, partition, 0)
        .map(({ value, timestamp }) => ({ ...due(channel).codec.decode(value), at: timestamp })),
    ).flat();
  }

  ids(channel = 'webhook'): number[] {
    return this.emitted(channel)
      .map(({ id }) => id)
      .toSorted((a, b) => a - b);
  }

  /** A bolt that has dealt with everything: rows of `deliver` are delivered, the others dropped. */
  ack(channel = 'webhook', deliver: (tuple: Due) => boolean = () => true): void {
    const topic = `due.${channel}`;
    for (let partition = 0; partition < this.log.partitions(topic); partition++) {
      const from = this.log.committedOf(group, topic, partition);
      for (const { value } of this.log.read(topic, partition, Math.max(0, from))) {
        const tuple = due(channel).codec.decode(value);
        const row = this.db.rows.get(tuple.id);
        if (row?.state === 'scheduled' && row.version === tuple.version && deliver(tuple)) row.state = 'delivered';
      }
      this.log.commit(group, topic, partition, this.log.high(topic, partition));
    }
  }

  async run(milliseconds: number): Promise<void> {
    await this.clock.advance(milliseconds);
  }

  /** Closes the spouts; throws when one left a timer or met with a bug. */
  async close(): Promise<void> {
    const state = { closed: false };
    const closing = Promise.all(this.running.map(({ spout }) => spout.close())).finally(() => {
      state.closed = true;
    });
    closing.catch(() => undefined);
    // What is under way may need time to pass.
    while (!state.closed) await this.clock.advance(100);
    await closing;
    if (this.clock.timers > 0) throw new Error(`${this.clock.timers} timers were left`);
    const bug = this.errors.find((error) => !(error instanceof Unavailable));
    if (bug !== undefined) throw bug;
  }
}

/** Two accounts that share a shard. */
export function sameShard(): [string, string] {
  const seen = new Map<number, string>();
  for (let index = 0; ; index++) {
    const account = `a${index}`;
    const shard = crc32(account) % 256;
    const other = seen.get(shard);
    if (other !== undefined) return [other, account];
    seen.set(shard, account);
  }
}
