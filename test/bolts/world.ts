import type { Channel, CredentialRefresh, Readying } from '../../bolts/channel';
import { SendBolt, type SendBoltSettings } from '../../bolts/send-bolt';
import type { SendLimits } from '../../bolts/send-limits';
import type { SendRows } from '../../bolts/send-rows';
import type { Delivery } from '../../topology/core/bolt';
import type { LatenessPolicy } from '../../topology/core/lateness';
import type { Limits } from '../../topology/core/limits';
import type { ChannelClass } from '../../topology/message';
import type { Due } from '../../topology/streams';
import { ScriptedChannel, type ScriptedPayload } from '../support/channels/scripted-channel';
import { ManualClock, settled } from '../support/manual-clock';
import { MemoryDatabase } from '../support/mysql/memory-database';
import { type MemoryRow, type NewRow, wakeOf } from '../support/mysql/memory-table';

/** Of the database in memory. */
export const DEPLOYMENT_ID = 'ab'.repeat(16);

const defaults: SendBoltSettings = {
  concurrency: 16,
  perAccount: 8,
  perOrigin: 16,
  claimBatch: 50,
  claimAheadMaxMs: 0,
  maxHeld: 1_000,
  maxHeldBytes: 10_000_000,
  leadMs: 2_000,
  readyAheadMs: 60_000,
};

export interface WorldOptions {
  readonly class?: ChannelClass;
  readonly settings?: Partial<SendBoltSettings>;
  readonly giveUpAfterMs?: number;
  /** Of the channel; never unless given. */
  readonly lateness?: LatenessPolicy;
  /** Of the channel; none unless given. */
  readonly limits?: Limits;
  readonly session?: string;
  /** How credentials of accounts are refreshed. */
  readonly refresh?: CredentialRefresh;
  /** What is done before the instant. */
  readonly readying?: Readying<ScriptedPayload>;
}

interface MoreOfRow extends Pick<NewRow, 'account' | 'payload' | 'sendWithinMs' | 'onLate'> {
  readonly host?: string;
}

/** A table, a provider and one bolt, on a clock that is moved by hand; the test is the spout. */
export class World {
  readonly clock: ManualClock;
  readonly database: MemoryDatabase;
  readonly channel: ScriptedChannel;
  readonly bolt: SendBolt;
  readonly session: string;
  readonly sendLimits: SendLimits;
  readonly errors: string[] = [];
  readonly bugs: unknown[] = [];
  /** The claims that were put, in order. */
  readonly claims: { readonly ids: readonly number[]; readonly ahead: number; readonly at: number }[] = [];
  /** Offsets that were acked, in order. */
  readonly acked: number[] = [];
  readonly pausedAccounts = new Set<string>();
  leaseHolds = true;
  /** Width of what is known of the database's clock: `latest` minus `earliest`. */
  uncertainty = 0;
  knowsTheTime = true;
  private offset = 0;

  /**
   * @param beside a world whose table, provider and clock this one shares: a second worker
   * @param around what the bolt sees of the table
   */
  constructor(options: WorldOptions = {}, beside?: World, around: (rows: SendRows) => SendRows = (rows) => rows) {
    this.clock = beside?.clock ?? new ManualClock();
    this.database = beside?.database ?? new MemoryDatabase(this.clock);
    this.channel = beside?.channel ?? new ScriptedChannel(this.clock, options.class);
    this.session = options.session ?? 'a'.repeat(32);
    const { clock, database } = this;
    const rows = around(database.sendRows());
    if (options.readying !== undefined) this.channel.readying = options.readying;
    this.sendLimits = database.sendLimits('webhook');
    this.bolt = new SendBolt({
      channel: Object.assign(this.channel, options.refresh && { refresh: options.refresh }) as Channel,
      refreshes: database.refreshes,
      settings: { ...defaults, ...options.settings },
      retry: { giveUpAfterMs: options.giveUpAfterMs ?? 600_000, baseMs: 1_000, capMs: 60_000 },
      lateness: options.lateness ?? { sendWithinMs: null, onLate: 'suspend' },
      rows: {
        ...rows,
        claim: (session, claimed, ahead) => {
          this.claims.push({ ids: claimed.map(({ id }) => id), ahead, at: clock.now() });
          return rows.claim(session, claimed, ahead);
        },
      },
      readyRows: database.readyRows(),
      limits: options.limits,
      sendLimits: this.sendLimits,
      lease: { session: this.session, holds: () => this.leaseHolds },
      pauses: {
        paused: (channel, account) =>
          database.pausedChannels.has(channel) || this.pausedAccounts.has(account) || this.isHeld(channel, account),
        awaited: (channel, account) =>
          [database.pausedChannels, database.emissionPausedChannels].some((channels) => channels.has(channel)) ||
          this.pausedAccounts.has(account),
        known: () => true,
        channelPaused: (channel) => database.pausedChannels.has(channel),
      },
      clock,
      databaseClock: {
        earliest: () => (this.knowsTheTime ? database.now() - this.uncertainty : Number.NEGATIVE_INFINITY),
        latest: () => (this.knowsTheTime ? database.now() : Number.POSITIVE_INFINITY),
      },
      deploymentId: () => DEPLOYMENT_ID,
      random: () => 0.5,
      onError: (what, error) => this.errors.push(`${what}: ${String(error)}`),
      onBug: (error) => this.bugs.push(error),
    });
  }

  /** As bolts heed what providers have said: see Session. */
  private isHeld(channel: string, account: string): boolean {
    const { limited } = this.database.limits;
    return limited.some(
      (one) => one.channel === channel && ['', account].includes(one.account) && one.heldUntil > this.database.now(),
    );
  }

  async open(): Promise<this> {
    await this.database
      .registry()
      .register(
        { session: this.session, components: ['webhook'], host: 'h', pid: 1, version: '0', statusUrl: null },
        10_000,
      );
    await this.bolt.open();
    return this;
  }

  /** A row that is due `delay` milliseconds from now. */
  row(delay: number, more: MoreOfRow = {}): MemoryRow {
    const { account, host = 'one', payload = { url: `http://${host}/` }, ...policy } = more;
    const now = this.database.now();
    const dueAt = now + delay;
    return this.database.insert({ ...policy, ...(account === undefined ? {} : { account }), payload, dueAt });
  }

  rows(count: number, delay: number, more: MoreOfRow = {}): MemoryRow[] {
    return Array.from({ length: count }, () => this.row(delay, more));
  }

  /** What the spout says of rows, as they are now. @returns their offsets */
  emit(...rows: readonly MemoryRow[]): number[] {
    const deliveries = rows.map((row) => this.delivery(row));
    this.bolt.execute(deliveries);
    return deliveries.map(({ tuple }) => tuple.offset);
  }

  delivery({ id, account, version, ...row }: MemoryRow, offset = this.offset++, partition = 0): Delivery<Due> {
    const value = { id, account, channel: 'webhook', wakeAt: wakeOf({ id, account, version, ...row }) ?? 0, version };
    return {
      tuple: { stream: 'due.webhook', partition, offset, timestamp: 0, value },
      ack: () => this.acked.push(offset),
    };
  }

  async advance(milliseconds: number): Promise<void> {
    await this.clock.advance(milliseconds);
    await settled();
  }

  state(row: MemoryRow): string {
    return this.database.rows.get(row.id)?.state ?? 'gone';
  }

  states(rows: readonly MemoryRow[]): string[] {
    return [...new Set(rows.map((row) => this.state(row)))];
  }

  /** When requests for this row began. */
  begun(row: MemoryRow): number[] {
    return this.channel.journal.filter(({ id }) => id === row.id).map(({ at }) => at);
  }

  async close(): Promise<void> {
    await this.bolt.close();
  }
}
