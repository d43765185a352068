import type { Clock } from '../../topology/core/clock';
import type { Acks } from '../acks';
import type { Entries } from '../memory/entries';
import { Repeating } from '../repeating';
import type { Emission } from './emission';
import type { EmitOrder } from './emit-order';
import type { Pending } from './pending';

const INTERVAL_MS = 1_000;
/** The interval while entries wait for nothing but acks, and acks come. */
const STARVED_INTERVAL_MS = 200;
/** Acks still come while the last one is no older than this; it is longer than any lead. */
const ACKS_STOPPED_AFTER_MS = 10_000;

export interface AckReaderParts {
  readonly channel: string;
  readonly acks: Acks;
  readonly entries: Entries;
  readonly pending: Pending;
  readonly emitOrder: EmitOrder;
  readonly emission: Emission;
  readonly clock: Clock;
  /** Called after each reading, because what was acked makes room in memory. */
  readonly onRoom: () => void;
  readonly onError: (error: unknown) => void;
}

/** Reads a channel's acks about once a second, and forgets the entries that they settle. */
export class AckReader {
  private readonly repeating: Repeating;
  /** When something was acked last, or nothing was pending. Monotonic milliseconds. */
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
    const { entries, pending, emitOrder, emission } = this.parts;
    let isMoving = entries.pending === 0;
    if (entries.pending > 0) {
      const reading = pending.beginReading();
      const settled = pending.settle(await this.parts.acks.read(this.parts.channel), reading);
      for (const entry of settled) entries.acked(entry);
      isMoving = settled.length > 0;
    }
    if (isMoving) this.movedAt = this.parts.clock.monotonic();
    emitOrder.reconsider();
    emission.kick();
    this.parts.onRoom();
  }

  close(): Promise<void> {
    return this.repeating.close();
  }

  private async run(): Promise<number> {
    await this.read();
    const isMoving = this.parts.clock.monotonic() - this.movedAt < ACKS_STOPPED_AFTER_MS;
    return this.parts.emission.starved && isMoving ? STARVED_INTERVAL_MS : INTERVAL_MS;
  }
}
