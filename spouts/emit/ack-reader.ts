import type { Clock } from '../../topology/core/clock';
import type { Acks } from '../acks';
import type { Entries } from '../memory/entries';
import { Repeating } from '../repeating';
import type { Emission } from './emission';
import type { EmitOrder } from './emit-order';
import type { Pending } from './pending';

const INTERVAL = 1_000;
/** While entries wait for nothing but acks, and acks come. */
const STARVED_INTERVAL = 200;
/** For so long without an ack the starved interval is kept; longer than any lead. */
const PATIENCE = 10_000;

export interface AckReaderParts {
  readonly channel: string;
  readonly acks: Acks;
  readonly entries: Entries;
  readonly pending: Pending;
  readonly woken: EmitOrder;
  readonly emission: Emission;
  readonly clock: Clock;
  /** Something was acked, so there may be room for more. */
  readonly onRoom: () => void;
  readonly onError: (error: unknown) => void;
}

/** Reads a channel's acks about once a second and forgets what they settle. */
export class AckReader {
  private readonly repeating: Repeating;
  /** Monotonic milliseconds. */
  private movedAt: number;

  constructor(private readonly parts: AckReaderParts) {
    this.movedAt = parts.clock.monotonic();
    this.repeating = new Repeating(parts.clock, () => this.run(), parts.onError);
  }

  open(): void {
    this.repeating.kick();
  }

  /** Reads the acks now. @throws Unavailable */
  async read(): Promise<void> {
    const { entries, pending, woken, emission } = this.parts;
    let isMoving = entries.pending === 0;
    if (entries.pending > 0) {
      const reading = pending.beginReading();
      const settled = pending.settle(await this.parts.acks.read(this.parts.channel), reading);
      for (const entry of settled) entries.acked(entry);
      isMoving = settled.length > 0;
    }
    if (isMoving) this.movedAt = this.parts.clock.monotonic();
    woken.reconsider();
    emission.kick();
    this.parts.onRoom();
  }

  close(): Promise<void> {
    return this.repeating.close();
  }

  private async run(): Promise<number> {
    await this.read();
    const isMoving = this.parts.clock.monotonic() - this.movedAt < PATIENCE;
    return this.parts.emission.starved && isMoving ? STARVED_INTERVAL : INTERVAL;
  }
}
