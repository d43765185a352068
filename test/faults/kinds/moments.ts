import { systemClock } from '../../../topology/core/clock';
import { until } from '../../support/until';
import type { Arena } from '../world/arena';

/** Reconcile sends a message that CDC did not report, but not within this: only a change that came through is as quick. */
const BY_CDC_MS = 400;
const SENT_MS = 10_000;
const ALL_SENT_MS = 60_000;

/**
 * Messages that are due together, `ahead` milliseconds from now.
 * @param query what the receiver is to do with them
 * @returns their keys
 */
export async function burst({ clients }: Arena, count: number, ahead: number, query = ''): Promise<string[]> {
  return clients.burst({ count, dueAt: systemClock.now() + ahead, query });
}

/** Resolves when so many requests more have come. */
export async function amid({ receiver }: Arena, count: number): Promise<void> {
  const before = receiver.journal.length;
  await receiver.until(() => receiver.journal.length >= before + count);
}

/** Resolves when each of these messages has been sent. */
export async function sent({ receiver }: Arena, keys: readonly string[]): Promise<void> {
  const isSent = () => {
    const seen = new Set(receiver.journal.map(({ path }) => path.split('/').at(-2)));
    return keys.every((key) => seen.has(key));
  };
  await until('each of them is sent', isSent, ALL_SENT_MS);
}

/** Schedules messages that are due at once until one of them is sent as quickly as only CDC can have it. */
export async function changesComeThrough({ clients, receiver }: Arena): Promise<void> {
  await until('a message that is due at once is sent by way of CDC', async () => {
    const dueAt = systemClock.now();
    const [key = ''] = await clients.burst({ count: 1, dueAt });
    const found = () => receiver.journal.find(({ path }) => path.includes(`/${key}/`));
    // While the database is away nothing may be scheduled at all.
    await until('it is sent', () => found() !== undefined, SENT_MS).catch(() => undefined);
    return (found()?.at ?? Number.POSITIVE_INFINITY) - dueAt < BY_CDC_MS;
  });
}
