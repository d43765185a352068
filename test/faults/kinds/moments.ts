import { systemClock } from '../../../topology/core/clock';
import type { Arena } from '../world/arena';

/** Messages that are due together, `ahead` milliseconds from now. @param query what the receiver is to do with them */
export async function burst({ clients }: Arena, count: number, ahead: number, query = ''): Promise<void> {
  await clients.burst({ count, dueAt: systemClock.now() + ahead, query });
}

/** Resolves when so many requests more have come. */
export async function amid({ receiver }: Arena, count: number): Promise<void> {
  const before = receiver.journal.length;
  await receiver.until(() => receiver.journal.length >= before + count);
}
