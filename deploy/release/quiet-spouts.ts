import {
  databaseNow,
  emittingSpouts,
  silentSpouts,
  workersBeforePauses,
} from '../../connectors/mysql/operators/emitting-spouts';
import type { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import { LEASE_MS } from '../../topology/core/lease';
import { PAUSES_KNOWN_MS } from '../../topology/core/pauses';
import { SPOUT } from '../../topology/streams';
import { CUT_OFF_MS } from './drain';
import { growthRefusal, STARTED_LIMIT_MS } from './growths';

const LOOK_EVERY_MS = 200;
/** How long spouts may take to say that they emit nothing: they say so every second, or a hard killed one is waited for. */
const QUIET_LIMIT_MS = CUT_OFF_MS + 30_000;
/** A spout that was not heard of in a pause for so long is waited for without one. Living ones renew their lease every three seconds. */
const SILENT_LIMIT_MS = LEASE_MS;

interface WaitOptions {
  readonly pool: Pool;
  readonly clock: Clock;
  /** Aborts when the command is to end: its reason is thrown. */
  readonly signal: AbortSignal;
  readonly report: (text: string) => void;
}

/** A spout may be dead, so what waits for it is to wait without a pause. */
export class SpoutIsSilent extends UserError {}

/**
 * A worker that has just started reports by which pauses it goes with the next renewal of its lease.
 * @throws UserError when one does not
 */
export async function untilAllKnowPauses(options: WaitOptions, stream: string): Promise<void> {
  const { pool, clock, signal } = options;
  const limit = clock.monotonic() + STARTED_LIMIT_MS;
  for (;;) {
    const [first] = await pool.use((sql) => workersBeforePauses(sql));
    if (first === undefined) return;
    if (clock.monotonic() > limit) {
      throw new UserError(growthRefusal(stream, first));
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
    signal.throwIfAborted();
  }
}

/** Waits, before anything pauses, until every spout that may be alive is. @throws UserError when that takes too long */
export async function untilHeard(options: WaitOptions): Promise<void> {
  const { pool, clock, signal, report } = options;
  const since = await pool.use(databaseNow);
  const begunMs = clock.monotonic();
  let isReported = false;
  while ((await pool.use((sql) => silentSpouts(sql, since, CUT_OFF_MS))) > 0) {
    if (!isReported && clock.monotonic() > begunMs + SILENT_LIMIT_MS) {
      report(`A worker of ${SPOUT} is silent. Nothing pauses until it is back or dead, for some 70 s at most.`);
      isReported = true;
    }
    if (clock.monotonic() > begunMs + QUIET_LIMIT_MS) {
      throw new UserError(
        `A worker of ${SPOUT} has been silent, or several were one after another, for ${QUIET_LIMIT_MS / 1_000} s, so no partitions were added, and nothing is paused. \`downspout status\` shows them.`,
      );
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
    signal.throwIfAborted();
  }
}

/**
 * Waits until every spout has read the pauses, and what it was appending is in Kafka.
 * @throws SpoutIsSilent when one may be dead; UserError when one does not say so in time
 */
export async function untilQuiet(options: WaitOptions, channels: readonly string[]): Promise<void> {
  const { pool, clock, signal } = options;
  const since = await pool.use(databaseNow);
  const begunMs = clock.monotonic();
  // One that begins to emit after this, because it has just got partitions, has read the pause.
  await clock.sleep(Math.max(0, begunMs + PAUSES_KNOWN_MS - clock.monotonic()), signal);
  signal.throwIfAborted();
  for (const channel of channels) {
    while ((await pool.use((sql) => emittingSpouts(sql, channel, since, CUT_OFF_MS))) > 0) {
      signal.throwIfAborted();
      const isSilent = (await pool.use((sql) => silentSpouts(sql, since, CUT_OFF_MS))) > 0;
      if (isSilent && clock.monotonic() > begunMs + SILENT_LIMIT_MS) {
        throw new SpoutIsSilent(`A worker of ${SPOUT} has been silent for ${SILENT_LIMIT_MS / 1_000} s.`);
      }
      if (clock.monotonic() > begunMs + QUIET_LIMIT_MS) {
        throw new UserError(
          `Not every worker of ${SPOUT} has said within ${QUIET_LIMIT_MS / 1_000} s that it emits nothing to ${channel}. \`downspout status\` shows them.`,
        );
      }
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }
  signal.throwIfAborted();
}
