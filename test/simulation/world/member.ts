import { Unavailable } from '../../../topology/core/errors';
import type {
  BoltListener,
  GroupListener,
  GroupMember,
  LogRecord,
  PartitionOffset,
  SpoutListener,
} from '../../../topology/runtime/streams-client';
import type { MemoryLog } from '../../support/kafka/memory-log';
import type { Random } from '../../support/random';
import type { Link } from './link';
import type { Machine } from './machine';
import type { SimulatedTime } from './time';

const AGAIN = 300;
/** Records of one fetch at most. */
const FETCH = 20;
const fair = { there: 1, back: 1 };

export interface GroupOptions {
  readonly time: SimulatedTime;
  readonly random: Random;
  readonly log: MemoryLog;
  readonly link: Link;
  readonly topic: string;
  readonly name: string;
  readonly isAway: () => boolean;
}

/** What a member knows of its group. */
export interface Membership {
  readonly options: GroupOptions;
  readonly generation: number;
  readonly members: ReadonlySet<unknown>;
  leave(member: Member): void;
}

export type Listener =
  | { readonly begin: 'committed'; readonly to: BoltListener }
  | { readonly begin: 'end'; readonly to: SpoutListener };

/** One member of a group, as KafkaMember is one. */
export class Member implements GroupMember {
  left = false;
  private generation = -1;
  private owned: readonly number[] = [];
  private positions = new Map<number, number>();
  private ready = new Set<number>();
  private readonly polling = new Set<number>();
  private stopped = true;
  private paused = false;

  constructor(
    private readonly group: Membership,
    readonly machine: Machine,
    private readonly listener: Listener,
    private readonly onJoined: (member: Member) => void,
  ) {}

  owns(partition: number): boolean {
    return this.owned.includes(partition);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    for (const partition of this.ready) this.poll(partition);
  }

  commit(positions: readonly PartitionOffset[]): Promise<void> {
    const { link, log, name, topic } = this.group.options;
    const { generation } = this;
    return link.call(
      this.machine,
      () => {
        if (!this.group.members.has(this) || generation !== this.group.generation) {
          throw new Unavailable('not in the group');
        }
        for (const { partition, offset } of positions) log.commit(name, topic, partition, offset);
      },
      fair,
    );
  }

  async leave(): Promise<void> {
    this.left = true;
    this.generation = -1;
    this.group.leave(this);
  }

  /** A rebalance begins. */
  stop(): void {
    if (this.stopped || this.left) return;
    this.stopped = true;
    this.listener.to.rebalancing();
  }

  assigned(generation: number, partitions: readonly number[]): void {
    if (this.left || generation <= this.generation || !this.group.members.has(this)) return;
    const { log, name, topic } = this.group.options;
    this.generation = generation;
    this.owned = partitions.toSorted((a, b) => a - b);
    this.stopped = false;
    const kept = new Map<number, number>();
    for (const partition of this.owned) {
      const offset = (this.listener.to as GroupListener).positionOf(partition);
      if (offset !== undefined) kept.set(partition, offset);
    }
    if (this.listener.begin === 'end') {
      this.positions = kept;
      this.begin([...kept.keys()]);
      void this.beginAtEnd(kept, generation, this.listener.to);
      return;
    }
    this.positions = new Map(
      this.owned.map((partition) => {
        const committed = log.committedOf(name, topic, partition);
        return [partition, kept.get(partition) ?? (committed >= 0 ? committed : log.low(topic, partition))];
      }),
    );
    this.listener.to.assigned(this.owned);
    this.begin(this.owned);
    this.onJoined(this);
  }

  poll(partition: number): void {
    if (this.stopped || this.left || !this.ready.has(partition) || this.polling.has(partition)) return;
    const { time, random, isAway, log, topic } = this.group.options;
    this.polling.add(partition);
    const { generation } = this;
    time.after(isAway() ? AGAIN : random.skewed(0.5, 30), () => {
      if (isAway()) {
        this.polling.delete(partition);
        this.poll(partition);
        return;
      }
      const low = log.low(topic, partition);
      const high = log.high(topic, partition);
      let from = this.positions.get(partition) ?? low;
      if (from < low || from > high) from = this.listener.begin === 'end' ? high : low;
      const records = log.read(topic, partition, from, FETCH);
      this.machine.deliver(() => {
        this.polling.delete(partition);
        if (generation !== this.generation) this.poll(partition);
        else this.take(partition, from, records, high);
      });
    });
  }

  private take(partition: number, from: number, records: readonly LogRecord[], end: number): void {
    if (this.stopped || this.left || this.paused) return;
    const taken = records.length === 0 ? 0 : this.listener.to.records(partition, records, end);
    this.positions.set(partition, taken === 0 ? from : (records[taken - 1] as LogRecord).offset + 1);
    const { log, topic } = this.group.options;
    if (!this.paused && (this.positions.get(partition) as number) !== log.high(topic, partition)) this.poll(partition);
  }

  private async beginAtEnd(kept: ReadonlyMap<number, number>, generation: number, to: SpoutListener): Promise<void> {
    const { link, log, topic } = this.group.options;
    for (;;) {
      try {
        const ends = await link.call(this.machine, () => this.owned.map((one) => log.high(topic, one)), fair);
        if (generation !== this.generation) return;
        const starts = this.owned.map((partition, index) => {
          const end = ends[index] as number;
          const position = kept.get(partition);
          if (position !== undefined && position <= end) {
            return { partition, offset: to.positionOf(partition) ?? position };
          }
          this.positions.set(partition, end);
          return { partition, offset: end };
        });
        to.assigned({ partitions: this.owned, of: log.partitions(topic) }, starts);
        this.begin(this.owned);
        this.onJoined(this);
        return;
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        await this.machine.sleep(AGAIN);
        if (generation !== this.generation) return;
      }
    }
  }

  private begin(partitions: readonly number[]): void {
    this.ready = new Set(partitions);
    for (const partition of partitions) this.poll(partition);
  }
}
