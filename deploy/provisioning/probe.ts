import { changeEventCodec } from '../../connectors/debezium/change-event';
import { captureNames } from '../../connectors/debezium/settings';
import { watchTopic } from '../../connectors/kafka/topic-set-up';
import { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { BadRecord, UserError } from '../../topology/core/errors';
import { kafkaSecurityOf } from '../../topology/settings/connections';
import { type Environment, required } from '../../topology/settings/environment';
import { withKafka } from '../inspect/kafka';
import { probeGroups } from './kafka-rights';

const CHANGE_LIMIT_MS = 30_000;
/** How often the probe changes until it is seen: what is committed before the connector reads the binlog is not. */
const PROBE_INTERVAL_MS = 250;
/** No topology has this channel, and it is due in the year 2100: the probe is never sent. */
const PROBE_CHANNEL = '_probe';
const PROBE_DUE = 4_102_444_800_000;

/**
 * Sees that CDC works: a change comes all the way through, or, where nobody may make one because DATABASE_URL is not set, a
 * heartbeat.
 * @param why what is known about the connector when none comes
 * @returns what came, for people
 */
export async function seeCapture(environment: Environment, clock: Clock, why: () => Promise<string>): Promise<string> {
  const { DATABASE_URL: url } = environment;
  if (url !== undefined) {
    return `a change came through in ${Math.round(await seeOneChange(environment, url, clock, why))} ms`;
  }
  await seeHeartbeat(environment, clock, why);
  return 'a heartbeat came through; no change was tried, because DATABASE_URL is not set';
}

/** The connector writes one each second. */
async function seeHeartbeat(environment: Environment, clock: Clock, why: () => Promise<string>): Promise<void> {
  const { heartbeats } = captureNames(environment.DOWNSPOUT_NAMESPACE);
  await withKafka(environment, async (admin) => {
    const count = async () => (await admin.logs(heartbeats)).reduce((sum, { high }) => sum + high, 0);
    const before = await count();
    const limit = clock.monotonic() + CHANGE_LIMIT_MS;
    while ((await count()) === before) {
      if (clock.monotonic() > limit) throw nothingCame('heartbeat', await why());
      await clock.sleep(PROBE_INTERVAL_MS);
    }
  });
}

function nothingCame(what: 'change' | 'heartbeat', why: string): UserError {
  return new UserError(
    `No ${what} came through CDC within ${CHANGE_LIMIT_MS / 1_000} s (${why}). The log of Kafka Connect says more.`,
  );
}

/**
 * Commits changes until one has come all the way through CDC.
 * @param url of somebody who may write messages
 * @returns milliseconds from the commit of a change to its arrival
 */
async function seeOneChange(
  environment: Environment,
  url: string,
  clock: Clock,
  why: () => Promise<string>,
): Promise<number> {
  const namespace = environment.DOWNSPOUT_NAMESPACE;
  const committed = new Map<number, number>();
  const seen = new AbortController();
  let id = 0;
  let took = 0;
  const watch = await watchTopic(
    required(environment, 'KAFKA_BROKERS'),
    captureNames(namespace).changes,
    `${probeGroups(namespace)}${process.pid}`,
    (value) => {
      const change = value === null ? null : decode(value);
      const at = change === null ? undefined : committed.get(change.version);
      if (change?.id !== id || at === undefined || seen.signal.aborted) return;
      took = clock.monotonic() - at;
      seen.abort();
    },
    kafkaSecurityOf(environment),
  );
  const pool = Pool.open(url, { clock, size: 1 });
  try {
    const { insertId } = await pool.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('_probe', '${PROBE_CHANNEL}', '{}', ${PROBE_DUE})`,
    );
    id = insertId;
    const limit = clock.monotonic() + CHANGE_LIMIT_MS;
    for (let version = 2; !seen.signal.aborted; version++) {
      if (clock.monotonic() > limit) {
        throw watch.failure() ?? nothingCame('change', await why());
      }
      committed.set(version, clock.monotonic());
      await pool.run(`UPDATE scheduled_messages SET version = ${version} WHERE id = ${id}`);
      await clock.sleep(PROBE_INTERVAL_MS, seen.signal);
    }
    return took;
  } finally {
    await pool.run(`DELETE FROM scheduled_messages WHERE channel = '${PROBE_CHANNEL}'`);
    await Promise.all([pool.close(), watch.close()]);
  }
}

/** What others write into the topic is not our concern here. */
function decode(value: Buffer) {
  try {
    return changeEventCodec.decode(value);
  } catch (error) {
    if (error instanceof BadRecord) return null;
    throw error;
  }
}
