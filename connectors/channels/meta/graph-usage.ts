import { z } from 'zod';
import type { Reply } from '../http/reply';

const MINUTE_MS = 60_000;
/** Calls are counted over the last hour where Meta does not say when a limit ends. */
const HOUR_MS = 60 * MINUTE_MS;
const FULL_PERCENT = 100;

/** By the ids of businesses, pages or accounts; the time is in minutes. */
const businessUsage = z.record(
  z.string(),
  z.array(z.object({ estimated_time_to_regain_access: z.number().min(0).optional().catch(undefined) })),
);
/** In per cent of what is allowed. */
const usage = z.object({
  call_count: z.number().optional().catch(undefined),
  total_time: z.number().optional().catch(undefined),
  total_cputime: z.number().optional().catch(undefined),
});

/**
 * When calls may go on that were refused because there were too many, by the headers of Meta's Graph API ("Rate Limits"):
 * `X-Business-Use-Case-Usage` says it, `X-App-Usage` and `X-Page-Usage` only how much is used. Calls that are made earlier are refused,
 * and some are counted all the same.
 * @returns milliseconds, or undefined when the headers do not tell
 */
export function regainMs(reply: Reply): number | undefined {
  const { data = {} } = businessUsage.safeParse(jsonIn(reply, 'x-business-use-case-usage'));
  const minutes = Object.values(data).flatMap((uses) => uses.map((one) => one.estimated_time_to_regain_access ?? 0));
  const longest = minutes.reduce((most, one) => Math.max(most, one), 0);
  if (longest > 0) return longest * MINUTE_MS;
  const isFull = ['x-app-usage', 'x-page-usage'].some((header) => {
    const { data: used = {} } = usage.safeParse(jsonIn(reply, header));
    return Object.values(used).some((percent) => percent !== undefined && percent >= FULL_PERCENT);
  });
  return isFull ? HOUR_MS : undefined;
}

function jsonIn(reply: Reply, header: string): unknown {
  try {
    return JSON.parse(reply.header(header) ?? '');
  } catch {
    return undefined;
  }
}
