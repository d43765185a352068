import type { Clock, Timer } from '../../../topology/core/clock';

/** What comes of the work, or the error when that does not come in time; the work goes on all the same. */
export async function within<T>(
  clock: Pick<Clock, 'after'>,
  limitMs: number,
  work: Promise<T>,
  late: () => Error,
): Promise<T> {
  let timer: Timer | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = clock.after(limitMs, () => reject(late()));
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    timer?.cancel();
  }
}
