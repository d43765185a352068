import type { Bolt } from '../core/bolt';
import type { Clock } from '../core/clock';
import { type Emit, PartlyEmitted, type Spout } from '../core/spout';
import type { Log } from './log';
import type { Metrics } from './metrics';
import type { GroupListener, GroupMember, StreamsClient } from './streams-client';

/** What spouts, bolts and ports are observed with. They are wrapped from outside and know nothing of it. */
export interface Observer {
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Pick<Clock, 'monotonic'>;
}

export function observedBolt<In>(component: string, bolt: Bolt<In>, { metrics }: Observer): Bolt<In> {
  return {
    ...partOf(bolt),
    execute(deliveries) {
      metrics.received.inc({ component }, deliveries.length);
      bolt.execute(deliveries);
    },
    hasRoom: () => bolt.hasRoom(),
    revoked: (partitions) => bolt.revoked(partitions),
    drain: (onBegun) => bolt.drain(onBegun),
  };
}

export function observedSpout<Feed>(component: string, spout: Spout<Feed>, { metrics }: Observer): Spout<Feed> {
  return {
    ...partOf(spout),
    assigned: (assignment) => spout.assigned(assignment),
    feed(changes) {
      metrics.received.inc({ component }, changes.length);
      spout.feed(changes);
    },
  };
}

export function observedEmit(emit: Emit, { metrics, clock }: Observer): Emit {
  return async (target, values) => {
    const labels = { stream: target.name };
    const begun = clock.monotonic();
    try {
      const placements = await emit(target, values);
      metrics.emitted.inc(labels, values.length);
      metrics.emitSeconds.observe(labels, (clock.monotonic() - begun) / 1_000);
      return placements;
    } catch (error) {
      const failed =
        error instanceof PartlyEmitted
          ? error.emitted.filter(({ offset }) => offset === undefined).length
          : values.length;
      metrics.emitFailures.inc(labels, failed);
      metrics.emitted.inc(labels, values.length - failed);
      throw error;
    }
  };
}

/** Logs and counts assignments, and counts commits that fail. */
export function observedStreams(streams: StreamsClient, { metrics, log }: Observer): StreamsClient {
  const assigned = (component: string, partitions: readonly number[]) => {
    metrics.assignments.inc({ component });
    log.info({ component, partitions }, 'partitions assigned');
  };
  return {
    partitions: (stream) => streams.partitions(stream),
    append: (stream, records) => streams.append(stream, records),
    consume: async (component, stream, listener) =>
      observedMember(
        component,
        metrics,
        await streams.consume(component, stream, {
          ...listenerOf(listener),
          assigned(partitions) {
            assigned(component, partitions);
            listener.assigned(partitions);
          },
        }),
      ),
    follow: async (component, stream, listener) =>
      observedMember(
        component,
        metrics,
        await streams.follow(component, stream, {
          ...listenerOf(listener),
          assigned(assignment, starts) {
            assigned(component, assignment.partitions);
            listener.assigned(assignment, starts);
          },
        }),
      ),
  };
}

function observedMember(component: string, metrics: Metrics, member: GroupMember): GroupMember {
  return {
    pause: () => member.pause(),
    resume: () => member.resume(),
    leave: () => member.leave(),
    async commit(positions) {
      try {
        await member.commit(positions);
      } catch (error) {
        metrics.commitFailures.inc({ component });
        throw error;
      }
    },
  };
}

function listenerOf(listener: GroupListener): GroupListener {
  return {
    rebalancing: () => listener.rebalancing(),
    positionOf: (partition) => listener.positionOf(partition),
    records: (partition, records, end) => listener.records(partition, records, end),
    crashed: (error) => listener.crashed(error),
  };
}

type Part = Pick<Bolt<never>, 'open' | 'close' | 'gauges'>;

function partOf(part: Part): Part {
  return { open: () => part.open(), close: () => part.close(), gauges: () => part.gauges() };
}
