import { AWAITED_LIMIT_MS } from '../../bolts/send/unbegun-attempts';
import type { KafkaAdmin } from '../../connectors/kafka/kafka-admin';
import { readLag } from '../../connectors/kafka/lag';
import { groupName } from '../../connectors/kafka/names';
import { mayComeBack, Sending } from '../../connectors/mysql/operators/sending';
import type { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import { PAUSES_KNOWN_MS } from '../../topology/core/pauses';
import type { Environment } from '../../topology/settings/environment';
import { due } from '../../topology/streams';
import { fromTheBeginning } from '../inspect/kafka';

const LOOK_EVERY_MS = 200;
/** Beside the time-out of a request, or the time after which workers that were killed are not waited for any more. */
const DRAIN_LIMIT_MS = 20_000;
/** A group that nobody has joined for so long has no worker: the only one is not just being started again. */
const NOBODY_MS = 10_000;
/** A worker whose lease ran out so lately may only be cut off from the database: what waits for it must not be overtaken. */
export const CUT_OFF_MS = 60_000;

/**
 * So long after a channel was paused an attempt may still begin its request: what its workers know of pauses, and what they look at every
 * second, is a second old each.
 */
const BEGINS_LATE_MS = PAUSES_KNOWN_MS + AWAITED_LIMIT_MS + 1_000;

/**
 * For how long a channel is waited for at most until nothing of it is being sent. A request that publishes may bring a whole video with
 * it, and ends within its time-out all the same.
 */
export function drainWaitMs(timeoutMs: number): number {
  return Math.max(timeoutMs, CUT_OFF_MS + NOBODY_MS) + DRAIN_LIMIT_MS;
}

export interface DrainOptions {
  readonly environment: Environment;
  readonly admin: KafkaAdmin;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly channel: string;
  /** Of one request. */
  readonly timeoutMs: number;
}

/**
 * Waits until the bolts of a channel to which nothing is emitted have consumed all that was, and every request is answered; or until
 * the signal aborts. What bolts find paused by a person they give back after half a minute, and what they have made ready for ten seconds
 * of a pause, such as a video, at once: so requests that were begun are all that is waited for.
 * @throws UserError when that takes longer than any request may, and than workers may be cut off from the database
 */
export async function untilDrained({ channel, timeoutMs, ...options }: DrainOptions): Promise<void> {
  const { environment, admin, pool, clock, signal } = options;
  const reading = { component: channel, stream: due(channel).name };
  const sending = new Sending(pool);
  const limitMs = drainWaitMs(timeoutMs);
  const limit = clock.monotonic() + limitMs;
  let someoneAt = clock.monotonic();
  while (!signal.aborted) {
    const lags = fromTheBeginning(await readLag(admin, environment.DOWNSPOUT_NAMESPACE, [reading]));
    // While a group rebalances its members own nothing, and what waits will be consumed.
    const isSomeone =
      (await hasMembers(admin, environment, channel)) ||
      (await pool.use((sql) => mayComeBack(sql, channel, CUT_OFF_MS)));
    if (isSomeone) someoneAt = clock.monotonic();
    const isConsumed = lags.every(({ lag }) => lag === 0) || clock.monotonic() - someoneAt >= NOBODY_MS;
    if (isConsumed && !(await sending.any(channel, timeoutMs + BEGINS_LATE_MS))) return;
    if (clock.monotonic() > limit) {
      throw new UserError(
        `${channel} was not drained within ${Math.round(limitMs / 1_000)} s. ` +
          '`downspout lag` and `downspout status` show what is left.',
      );
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

/** Whether workers of a bolt run, as Kafka sees it. */
export async function hasMembers(admin: KafkaAdmin, environment: Environment, component: string): Promise<boolean> {
  return (await admin.members(groupName(environment.DOWNSPOUT_NAMESPACE, component))).length > 0;
}
