import type { Acks } from '../../../spouts/acks';
import { Unavailable } from '../../../topology/core/errors';
import type { GroupMember, StreamsClient } from '../../../topology/runtime/streams-client';
import type { ScheduleChange } from '../../../topology/streams';
import type { MemoryLog } from '../../support/kafka/memory-log';
import type { Random } from '../../support/random';
import { SimulatedGroup } from './group';
import { type Condition, Link } from './link';
import type { Machine } from './machine';
import { type Listener, Member } from './member';
import type { SimulatedTime } from './time';

export const feedTopic = 'schedule-changes';
const fair = { there: 1, back: 1 };

export interface StreamsOptions {
  readonly time: SimulatedTime;
  readonly random: Random;
  readonly log: MemoryLog;
  readonly condition: Condition;
  readonly onStep: (machine: Machine) => void;
}

/** The log with its groups, as each machine has it. */
export class SimulatedStreams {
  /** Records that the broker took twice, as a part of all: a producer without idempotence repeats what was not confirmed. */
  duplicated = 0;
  private readonly groups = new Map<string, SimulatedGroup>();
  private readonly members: { readonly group: SimulatedGroup; readonly member: Member }[] = [];
  private readonly link: Link;

  constructor(private readonly options: StreamsOptions) {
    this.link = new Link({ ...options, name: 'the log' });
  }

  get all(): readonly SimulatedGroup[] {
    return [...this.groups.values()];
  }

  client(machine: Machine): StreamsClient {
    const { log } = this.options;
    return {
      partitions: async (topic) => log.partitions(topic),
      append: (topic, records) =>
        this.link.call(
          machine,
          () => {
            const { random } = this.options;
            const isCut = random.chance(this.options.condition.lost / 2);
            const some = isCut ? records.slice(0, random.integer(0, records.length)) : records;
            if (random.chance(this.duplicated)) for (const one of some) this.append(topic, one.partition, one.value);
            const offsets = some.map(({ partition, value }) => this.append(topic, partition, value));
            if (isCut) throw new Unavailable('the log did not confirm all');
            return offsets;
          },
          fair,
        ),
      consume: (component, topic, to) => this.join(component, topic, machine, { begin: 'committed', to }),
      follow: (component, topic, to) => this.join(component, topic, machine, { begin: 'end', to }),
    };
  }

  acks(machine: Machine): Acks {
    const { log } = this.options;
    return {
      read: (channel) => this.link.call(machine, () => log.acks(channel).read(channel), fair),
    };
  }

  /** CDC appends a change; partition = shard % partitions. */
  publish(change: ScheduleChange): void {
    const { log } = this.options;
    const value = Buffer.from(JSON.stringify(change));
    this.append(feedTopic, change.shard % log.partitions(feedTopic), value);
  }

  /** The topic was deleted and made again, or has lost records. */
  disturbed(topic: string): void {
    const { log } = this.options;
    for (const group of this.groups.values()) {
      if (group.options.topic !== topic) continue;
      for (let partition = 0; partition < log.partitions(topic); partition++) group.wake(partition);
    }
  }

  silent(machine: Machine): void {
    for (const group of this.groups.values()) group.watch(machine);
  }

  heard(machine: Machine): void {
    for (const { group, member } of this.members) group.heard(machine, member);
  }

  /** Records that a bolt's group has not committed. */
  lag(channel: string): number {
    const { log } = this.options;
    const topic = `due.${channel}`;
    let lag = 0;
    for (let partition = 0; partition < log.partitions(topic); partition++) {
      const from = Math.max(log.committedOf(channel, topic, partition), log.low(topic, partition));
      lag += Math.max(0, log.high(topic, partition) - from);
    }
    return lag;
  }

  private append(topic: string, partition: number, value: Buffer): number {
    const { offset } = this.options.log.append(topic, '', value, partition);
    for (const group of this.groups.values()) if (group.options.topic === topic) group.wake(partition);
    return offset;
  }

  private join(component: string, topic: string, machine: Machine, listener: Listener): Promise<GroupMember> {
    const { time, random, log, condition } = this.options;
    let group = this.groups.get(component);
    if (group === undefined) {
      const isAway = () => condition.away;
      group = new SimulatedGroup({ time, random, log, link: this.link, topic, name: component, isAway });
      this.groups.set(component, group);
    }
    const joined = group;
    return new Promise((resolve) => {
      const member = new Member(joined, machine, listener, resolve);
      this.members.push({ group: joined, member });
      joined.join(member);
    });
  }
}
