import type { Consumer, Kafka } from 'kafkajs';
import { patientRetry } from './kafka-client';
import { type Owned, stickyAssigner } from './sticky-assigner';

/** A killed member's partitions move after this. It is the broker's minimum. */
const SESSION_TIMEOUT_MS = 6_000;
/** A rebalance is noticed by a heartbeat, and messages of partitions that move wait until the last member has. */
const HEARTBEAT_EVERY_MS = 200;
const REBALANCE_TIMEOUT_MS = 10_000;
/** The longest that a fetch waits for records. They come at once; this bounds how soon a rebalance or a stop is noticed. */
const MAX_FETCH_WAIT_MS = 250;
/** New partitions are noticed after this. */
const METADATA_MAX_AGE_MS = 2_000;
/** Of one partition in one fetch: what a full bolt gets beyond its bounds. */
const MAX_FETCH_BYTES = 256 * 1024;

/**
 * A consumer as members of groups want it: quick to notice what happens to the group, and slow to give up.
 * @param mayRestart whether the client may start it again after an error that passes
 */
export function consumerOf(kafka: Kafka, group: string, owned: () => Owned, mayRestart: () => boolean): Consumer {
  return kafka.consumer({
    groupId: group,
    partitionAssigners: [stickyAssigner(owned)],
    sessionTimeout: SESSION_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_EVERY_MS,
    rebalanceTimeout: REBALANCE_TIMEOUT_MS,
    maxWaitTimeInMs: MAX_FETCH_WAIT_MS,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    maxBytesPerPartition: MAX_FETCH_BYTES,
    retry: { ...patientRetry, restartOnFailure: () => Promise.resolve(mayRestart()) },
  });
}
