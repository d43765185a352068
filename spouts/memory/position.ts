/** A place in the order of sending: by wake, then by id. */
export interface WakePosition {
  /** Epoch milliseconds. */
  readonly wakeAt: number;
  readonly id: number;
}

/** Before every row. */
export const beginning: WakePosition = { wakeAt: Number.MIN_SAFE_INTEGER, id: 0 };

export function isBefore(a: WakePosition, b: WakePosition): boolean {
  return a.wakeAt < b.wakeAt || (a.wakeAt === b.wakeAt && a.id < b.id);
}

/** For sorting. */
export function byPosition(a: WakePosition, b: WakePosition): number {
  return a.wakeAt - b.wakeAt || a.id - b.id;
}
