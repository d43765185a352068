import type { Machine } from './machine';
import type { GroupOptions, Member, Membership } from './member';

/** A member that is silent for so long has left. */
const SESSION_MS = 6_000;

/** A consumer group with eager rebalances: every member stops, and silent members are left out. */
export class SimulatedGroup implements Membership {
  generation = 0;
  readonly members = new Set<Member>();
  private rebalancing = false;

  constructor(readonly options: GroupOptions) {}

  join(member: Member): void {
    this.members.add(member);
    this.rebalance();
  }

  leave(member: Member): void {
    if (this.members.delete(member)) this.rebalance();
  }

  /** The machine is silent: unless it is heard again in time, its members are out. */
  watch(machine: Machine): void {
    const { time } = this.options;
    const since = machine.silentSince;
    time.after(SESSION_MS, () => {
      if (machine.silentSince !== since) return;
      for (const member of this.members) if (member.machine === machine) this.leave(member);
    });
  }

  /** The machine is heard again. */
  heard(machine: Machine, member: Member): void {
    if (member.machine !== machine || this.members.has(member)) return;
    const { time, random } = this.options;
    time.after(random.between(0, 1_500), () =>
      machine.deliver(() => {
        member.stop();
        if (!member.left) this.join(member);
      }),
    );
  }

  rebalance(): void {
    if (this.rebalancing) return;
    this.rebalancing = true;
    const { time, random } = this.options;
    for (const member of this.members)
      time.after(random.between(1, 60), () => member.machine.deliver(() => member.stop()));
    time.after(random.between(60, 400), () => this.complete());
  }

  wake(partition: number): void {
    for (const member of this.members) member.poll(partition);
  }

  private complete(): void {
    const { time, random, log, topic } = this.options;
    const waits = [...this.members].map(({ machine }) => machine.silentSince + SESSION_MS - time.elapsed);
    const longest = Math.max(0, ...waits.filter((wait) => Number.isFinite(wait)));
    if (longest > 0) {
      time.after(longest, () => this.complete());
      return;
    }
    for (const member of this.members) if (member.machine.isSilent) this.members.delete(member);
    this.rebalancing = false;
    this.generation++;
    const { generation } = this;
    const all = Array.from({ length: log.partitions(topic) }, (_, partition) => partition);
    const members = [...this.members];
    const shares = new Map(members.map((member) => [member, [] as number[]]));
    const isSticky = random.chance(0.7);
    for (const [index, partition] of random.shuffled(all).entries()) {
      const owner = isSticky ? members.find((member) => member.owns(partition)) : undefined;
      const next = members[index % members.length];
      const to = owner !== undefined && (shares.get(owner)?.length ?? 0) * members.length <= all.length ? owner : next;
      if (to !== undefined) shares.get(to)?.push(partition);
    }
    for (const [member, partitions] of shares) {
      time.after(random.between(1, 80), () => member.machine.deliver(() => member.assigned(generation, partitions)));
    }
  }
}
