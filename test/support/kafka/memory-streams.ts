import { assignSticky } from '../../../connectors/kafka/sticky-assigner';
import type {
  AppendRecord,
  BoltListener,
  GroupListener,
  GroupMember,
  PartitionOffset,
  SpoutListener,
  StreamsClient,
} from '../../../topology/runtime/streams-client';
import type { MemoryLog } from './memory-log';

const FETCH = 500;

interface Group {
  readonly component: string;
  readonly stream: string;
  readonly members: MemoryMember[];
}

/**
 * The streams in memory, as one worker sees them: several of them on one log are several workers. Members of a group share
 * the partitions; each change of the members is a rebalance, at once.
 */
export class MemoryStreams implements StreamsClient {
  private readonly own: MemoryMember[] = [];

  constructor(
    private readonly log: MemoryLog,
    /** Shared by the workers. */
    private readonly groups: Map<string, Group> = new Map(),
  ) {}

  /** Another worker on the same log. */
  another(): MemoryStreams {
    return new MemoryStreams(this.log, this.groups);
  }

  async partitions(stream: string): Promise<number> {
    return this.log.partitions(stream);
  }

  async append(stream: string, records: readonly AppendRecord[]): Promise<number[]> {
    await this.log.before('append');
    const offsets = records.map(({ partition, value }) => this.log.append(stream, '', value, partition).offset);
    for (const { members } of this.groups.values()) for (const member of members) member.kick();
    await this.log.after('append');
    return offsets;
  }

  async consume(component: string, stream: string, listener: BoltListener): Promise<GroupMember> {
    return this.join(component, stream, listener, (member, partitions) => {
      member.begin(partitions, (partition) => {
        const committed = this.log.committedOf(component, stream, partition);
        return committed === -1 ? this.log.low(stream, partition) : committed;
      });
      listener.assigned(partitions);
    });
  }

  async follow(component: string, stream: string, listener: SpoutListener): Promise<GroupMember> {
    return this.join(component, stream, listener, (member, partitions) => {
      const starts = member.begin(partitions, (partition) => this.log.high(stream, partition));
      listener.assigned({ partitions, of: this.log.partitions(stream) }, starts);
    });
  }

  /** Dies: its members are gone without a word. */
  die(): void {
    for (const member of this.own) member.remove();
  }

  private join(
    component: string,
    stream: string,
    listener: GroupListener,
    assign: (member: MemoryMember, partitions: readonly number[]) => void,
  ): GroupMember {
    const key = `${component} ${stream}`;
    const group = this.groups.get(key) ?? { component, stream, members: [] };
    this.groups.set(key, group);
    const member = new MemoryMember(this.log, group, listener, assign);
    this.own.push(member);
    group.members.push(member);
    rebalance(this.log, group);
    return member;
  }
}

let ids = 0;

class MemoryMember implements GroupMember {
  readonly id = `member-${++ids}`;
  private positions = new Map<number, number>();
  private initial: (partition: number) => number = () => 0;
  private paused = false;
  private kicked = false;

  constructor(
    private readonly log: MemoryLog,
    private readonly group: Group,
    readonly listener: GroupListener,
    private readonly assign: (member: MemoryMember, partitions: readonly number[]) => void,
  ) {}

  get owned(): number[] {
    return [...this.positions.keys()];
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.kick();
  }

  async commit(positions: readonly PartitionOffset[]): Promise<void> {
    const { component, stream } = this.group;
    for (const { partition, offset } of positions) this.log.commit(component, stream, partition, offset);
  }

  async leave(): Promise<void> {
    this.remove();
  }

  remove(): void {
    const index = this.group.members.indexOf(this);
    if (index === -1) return;
    this.group.members.splice(index, 1);
    this.positions.clear();
    rebalance(this.log, this.group);
  }

  assigned(partitions: readonly number[]): void {
    this.assign(this, partitions);
    this.kick();
  }

  begin(partitions: readonly number[], initial: (partition: number) => number): PartitionOffset[] {
    this.initial = initial;
    const starts = partitions.map((partition) => {
      const position = this.listener.positionOf(partition);
      const isInLog = position !== undefined && position <= this.log.high(this.group.stream, partition);
      return { partition, offset: isInLog ? position : initial(partition) };
    });
    this.positions = new Map(starts.map(({ partition, offset }) => [partition, offset]));
    return starts;
  }

  /** Fetches soon, once. */
  kick(): void {
    if (this.kicked) return;
    this.kicked = true;
    queueMicrotask(() => {
      this.kicked = false;
      for (const partition of this.owned) this.fetch(partition);
    });
  }

  private fetch(partition: number): void {
    const { stream } = this.group;
    while (!this.paused) {
      let position = this.positions.get(partition);
      if (position === undefined) return;
      // As Kafka's client does: the log was made again, and ends before the position.
      if (position > this.log.high(stream, partition)) {
        position = this.initial(partition);
        this.positions.set(partition, position);
      }
      const records = this.log.read(stream, partition, position, FETCH);
      if (records.length === 0) return;
      const taken = this.listener.records(partition, records, this.log.high(stream, partition));
      const last = records[taken - 1];
      if (last === undefined) return;
      this.positions.set(partition, last.offset + 1);
    }
  }
}

function rebalance(log: MemoryLog, { stream, members }: Group): void {
  if (members.length === 0) return;
  for (const { listener } of members) listener.rebalancing();
  const partitions = Array.from({ length: log.partitions(stream) }, (_, partition) => partition);
  const known = members.map(({ id, owned }) => ({ id, owned: { partitions: owned, since: 0 } }));
  const shares = assignSticky(known, partitions);
  for (const member of members) member.assigned(shares.get(member.id) ?? []);
}
