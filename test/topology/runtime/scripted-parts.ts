import type { Bolt, Delivery } from '../../../topology/core/bolt';
import type { Assignment, Spout } from '../../../topology/core/spout';
import type { Tuple } from '../../../topology/core/tuple';
import type { Due, ScheduleChange } from '../../../topology/streams';

/** A bolt that keeps what it is given. */
export class ScriptedBolt implements Bolt<Due> {
  readonly given: Delivery<Due>[] = [];
  readonly revocations: number[][] = [];
  readonly calls: string[] = [];
  room = Number.POSITIVE_INFINITY;
  /** Acks at once. */
  quick = false;
  finish: () => void = () => undefined;
  /** Says that nothing waits to begin any more. */
  begun: () => void = () => undefined;
  /** Drains when `finish` is called, not before. */
  slow = false;

  readonly open = async () => void this.calls.push('open');
  readonly execute = (deliveries: readonly Delivery<Due>[]) => {
    this.given.push(...deliveries);
    this.room -= deliveries.length;
    if (this.quick) for (const { ack } of deliveries) ack();
  };
  readonly hasRoom = () => this.room > 0;
  readonly revoked = (partitions: readonly number[]) => void this.revocations.push([...partitions]);
  readonly drain = async (onBegun: () => void = () => undefined) => {
    this.calls.push('drain');
    this.begun = onBegun;
    if (this.slow) {
      await new Promise<void>((resolve) => {
        this.finish = resolve;
      });
    }
    this.calls.push('drained');
  };
  readonly close = async () => void this.calls.push('close');
  readonly gauges = () => ({ held: this.given.length });

  ids(): number[] {
    return this.given.map(({ tuple }) => tuple.value.id);
  }
}

/** A spout that keeps what it is told. */
export class ScriptedSpout implements Spout<ScheduleChange> {
  readonly changes: Tuple<ScheduleChange>[] = [];
  readonly assignments: Assignment[] = [];
  readonly calls: string[] = [];

  readonly open = async () => void this.calls.push('open');
  readonly assigned = (assignment: Assignment) => void this.assignments.push(assignment);
  readonly feed = (changes: readonly Tuple<ScheduleChange>[]) => void this.changes.push(...changes);
  readonly close = async () => void this.calls.push('close');
  readonly gauges = () => ({ 'pending.webhook': this.changes.length });
}

export function dueOf(id: number, account = 'ann'): Due {
  return { id, account, channel: 'webhook', wakeAt: 1, version: 1 };
}

export function changeOf(id: number): ScheduleChange {
  const plan = { account: 'ann', channel: 'webhook', wakeAt: 1, version: 1 };
  return { id, shard: 0, ...plan, deleted: false, committedAt: 1 };
}
