import type { ShardCursor } from '../open-rows';
import { beginning, type WakePosition } from './position';

/** Rows are spread over this many shards, by CRC32(account); fixed for ever. */
export const shards = 256;

/**
 * Up to which (wake, id) the spout has read the rows of a channel, per shard. Below the frontier memory is complete; beyond
 * it the spout ignores events, because it will read the rows. While a read is under way, events below its target count
 * too, because the read may already have passed the row that they change.
 */
export class Frontier {
  private readonly wakes = new Float64Array(shards).fill(beginning.wakeAt);
  private readonly ids = new Float64Array(shards);
  private readonly owned = new Uint8Array(shards);
  private readonly lives = new Uint32Array(shards);
  private target = beginning.wakeAt;

  /** The spout owns the shard from now on, and has read nothing of it. */
  own(shard: number): void {
    this.owned[shard] = 1;
    this.restart(shard);
  }

  disown(shard: number): void {
    this.owned[shard] = 0;
    this.restart(shard);
  }

  owns(shard: number): boolean {
    return this.owned[shard] === 1;
  }

  /** The number changes when the shard is lost or started over. What was read in an earlier life does not count any more. */
  life(shard: number): number {
    return this.lives[shard] ?? 0;
  }

  /** True when memory should know the row at this position. */
  covers(shard: number, at: WakePosition): boolean {
    return this.owned[shard] === 1 && (at.wakeAt < this.target || this.passed(shard, at));
  }

  /** True when the spout has read the row at this position. */
  passed(shard: number, at: WakePosition): boolean {
    const wake = this.wakes[shard] as number;
    return at.wakeAt < wake || (at.wakeAt === wake && at.id <= (this.ids[shard] as number));
  }

  at(shard: number): WakePosition {
    return { wakeAt: this.wakes[shard] as number, id: this.ids[shard] as number };
  }

  /** Moves the frontier of all shards to `target` before they are read up to there. */
  move(target: number): void {
    this.target = target;
  }

  /** Memory is full: the frontier stops at what has been read. */
  stop(): void {
    this.target = beginning.wakeAt;
  }

  /** The shards that have not been read up to `target`, each with the position after which reading continues. */
  behind(target: number): ShardCursor[] {
    const cursors: ShardCursor[] = [];
    for (let shard = 0; shard < shards; shard++) {
      const wake = this.wakes[shard] as number;
      if (this.owned[shard] === 1 && wake < target) {
        cursors.push({ shard, afterWake: wake, afterId: this.ids[shard] as number });
      }
    }
    return cursors;
  }

  /** The shard has been read from the cursor to `to`. Without effect when the frontier was stopped or moved back meanwhile. */
  advance(from: ShardCursor, to: WakePosition): void {
    if (to.wakeAt > this.target) return;
    if (this.wakes[from.shard] !== from.afterWake || this.ids[from.shard] !== from.afterId) return;
    this.wakes[from.shard] = to.wakeAt;
    this.ids[from.shard] = to.id;
  }

  /** Moves the frontier back to before `at`, so that the row there is read again. */
  retreat(shard: number, at: WakePosition): void {
    if (!this.passed(shard, at)) return;
    this.wakes[shard] = at.wakeAt;
    this.ids[shard] = at.id - 1;
  }

  retreatAll(at: WakePosition): void {
    for (let shard = 0; shard < shards; shard++) this.retreat(shard, at);
  }

  /** The earliest wake up to which an owned shard has been read; +Infinity when none is owned. */
  earliest(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (let shard = 0; shard < shards; shard++) {
      if (this.owned[shard] === 1) earliest = Math.min(earliest, this.wakes[shard] as number);
    }
    return earliest;
  }

  private restart(shard: number): void {
    this.wakes[shard] = beginning.wakeAt;
    this.ids[shard] = beginning.id;
    this.lives[shard] = (this.lives[shard] as number) + 1;
  }
}
