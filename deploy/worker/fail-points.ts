import { writeSync } from 'node:fs';
import { z } from 'zod';
import type { Channel } from '../../bolts/channel';
import type { ReadyRows } from '../../bolts/ready-rows';
import type { SendRows } from '../../bolts/send-rows';
import type { OpenRows } from '../../spouts/open-rows';
import { UserError } from '../../topology/core/errors';
import type { GroupMember, StreamsClient } from '../../topology/runtime/streams-client';

/** The places at which a worker can be made to end, in the order in which a message passes them. */
export const failPointNames = [
  /** The feed brought changes; the spout has not been given them. */
  'cdc-seen',
  /** The spout took changes into its memory. */
  'bucketed',
  /** Rows were read from the table, to open a bucket or to reconcile; the spout has not been given them. */
  'loaded',
  /** Ids of what was made ready before the instant are kept; the channel has no answer. */
  'made-ready',
  /** The log has the tuples; the spout has no answer. */
  'emitted',
  /** The spout knows that the log has the tuples, and where they are. */
  'acknowledged',
  /** The bolt read the rows of tuples and holds them. */
  'prefetched',
  /** A claim before the instant took effect; the bolt has no answer. */
  'claim-committed-ahead',
  /** The same at the instant. */
  'claim-committed',
  /** The group's offset moved past tuples that are acked. */
  'offset-committed',
  /** Ids of the provider are kept, and nothing is published; the channel has no answer. */
  'ids-kept',
  /** A request was written to its socket, as were all that start in the same tick. */
  'request-sent',
  /** The provider answered; the bolt does not have the answer. */
  'answer-received',
  /** Outcomes of a crowd are in the ledger, and their rows are not settled; the bolt has no answer. */
  'journaled',
  /** Outcomes are in the table; the bolt has no answer. */
  'written-back',
] as const;
export type FailPointName = (typeof failPointNames)[number];

/** `kill` is as sudden as kill -9 from outside. After `stop` the process is a zombie until somebody sends SIGCONT. */
const signals = { kill: 'SIGKILL', stop: 'SIGSTOP' } as const;
const failActions = ['kill', 'stop'] as const satisfies (keyof typeof signals)[];

/** The action is taken at the `nth` time that the process passes the place. */
export interface FailPoint {
  readonly name: FailPointName;
  readonly action: (typeof failActions)[number];
  readonly nth: number;
}

const failPointSchema = z.object({
  name: z.enum(failPointNames),
  action: z.enum(failActions),
  nth: z.coerce.number().int().min(1),
});

/**
 * The value of DOWNSPOUT_FAIL_POINTS: `name:action` or `name:action:nth`, separated by commas.
 * @throws UserError naming the variable, its value and what is allowed
 */
export function parseFailPoints(text: string | undefined): readonly FailPoint[] {
  if (text === undefined) return [];
  const points = text.split(',').map((point) => {
    const [name, action, ...nth] = point.split(':');
    return { name, action, nth: nth.length === 0 ? 1 : nth.join(':') };
  });
  const result = z.array(failPointSchema).safeParse(points);
  if (result.success) return result.data;
  throw new UserError(
    result.error.issues
      .map(
        ({ message }) => `DOWNSPOUT_FAIL_POINTS: ${message} (it is ${JSON.stringify(text)}). Change it, or remove it.`,
      )
      .join('\n'),
  );
}

/** The ports at whose borders the places are. */
export interface FailPorts {
  readonly streams: StreamsClient;
  readonly openRows: OpenRows;
  readonly sendRows: (channel: string) => SendRows;
  readonly readyRows: ReadyRows;
  readonly channels: ReadonlyMap<string, Channel>;
}

type Reach = (name: FailPointName) => void;

/**
 * Ports through which the process ends at the named places. The wrapped ports know nothing of it. Without fail-points
 * nothing is wrapped: the answer is the ports that were given.
 * @param act must not return before the process is gone, or stopped
 */
export function withFailPoints(
  ports: FailPorts,
  points: readonly FailPoint[],
  act: (point: FailPoint) => void = signalItself,
): FailPorts {
  if (points.length === 0) return ports;
  const times = new Map<FailPointName, number>();
  const reach = (name: FailPointName) => {
    const time = (times.get(name) ?? 0) + 1;
    times.set(name, time);
    for (const point of points) if (point.name === name && point.nth === time) act(point);
  };
  return {
    streams: streamsThatFail(ports.streams, reach),
    openRows: openRowsThatFail(ports.openRows, reach),
    sendRows: (channel) => sendRowsThatFail(ports.sendRows(channel), reach),
    readyRows: readyRowsThatFail(ports.readyRows, reach),
    channels: new Map([...ports.channels].map(([name, channel]) => [name, channelThatFails(channel, reach)])),
  };
}

/** Names the place on standard error first, so that a test knows where the process ended. */
function signalItself({ name, action }: FailPoint): void {
  writeSync(process.stderr.fd, `fail-point ${name}: ${action}\n`);
  process.kill(process.pid, signals[action]);
}

function streamsThatFail(streams: StreamsClient, reach: Reach): StreamsClient {
  return {
    partitions: (stream) => streams.partitions(stream),
    async append(stream, records) {
      const offsets = await streams.append(stream, records);
      reach('emitted');
      setImmediate(reach, 'acknowledged');
      return offsets;
    },
    follow: (component, stream, listener) =>
      streams.follow(component, stream, {
        ...listener,
        records(partition, records, end) {
          reach('cdc-seen');
          const taken = listener.records(partition, records, end);
          reach('bucketed');
          return taken;
        },
      }),
    consume: async (component, stream, listener) =>
      memberThatFails(await streams.consume(component, stream, listener), reach),
  };
}

function memberThatFails(member: GroupMember, reach: Reach): GroupMember {
  const marks = new Map<number, number>();
  return {
    pause: () => member.pause(),
    resume: () => member.resume(),
    leave: () => member.leave(),
    async commit(positions) {
      await member.commit(positions);
      // The first mark of a partition is where it begins.
      const moved = positions.some(({ partition, offset }) => offset > (marks.get(partition) ?? offset));
      for (const { partition, offset } of positions) marks.set(partition, offset);
      if (moved) reach('offset-committed');
    },
  };
}

function openRowsThatFail(rows: OpenRows, reach: Reach): OpenRows {
  return {
    async page(channel, cursors, below, limit) {
      const page = await rows.page(channel, cursors, below, limit);
      if (page.length > 0) reach('loaded');
      return page;
    },
    leasesOf: (sessions) => rows.leasesOf(sessions),
    markDead: (leases) => rows.markDead(leases),
    recover: (lost, delayMs) => rows.recover(lost, delayMs),
  };
}

function sendRowsThatFail(rows: SendRows, reach: Reach): SendRows {
  return {
    async read(ids, maxPayloadBytes) {
      const found = await rows.read(ids, maxPayloadBytes);
      if (found.some(({ state }) => state === 'scheduled')) setImmediate(reach, 'prefetched');
      return found;
    },
    async claim(session, claimed, ahead) {
      const won = await rows.claim(session, claimed, ahead);
      if (won > 0) reach(ahead > 0 ? 'claim-committed-ahead' : 'claim-committed');
      return won;
    },
    settleUnclaimed: (session, results) => rows.settleUnclaimed(session, results),
    async writeBack(session, results) {
      const unwritten = await rows.writeBack(session, results);
      if (unwritten.length < results.length) reach('written-back');
      return unwritten;
    },
    async journal(session, results) {
      await rows.journal(session, results);
      reach('journaled');
    },
    async writeAlone(session, result, release) {
      const verdict = await rows.writeAlone(session, result, release);
      if (verdict === 'written') reach('written-back');
      return verdict;
    },
    kept: (id, planNumber) => rows.kept(id, planNumber),
    async keep(session, row, kept) {
      const isKept = await rows.keep(session, row, kept);
      if (isKept) reach('ids-kept');
      return isKept;
    },
  };
}

function readyRowsThatFail(rows: ReadyRows, reach: Reach): ReadyRows {
  return {
    upcoming: (channel, range) => rows.upcoming(channel, range),
    begin: (row, contentHash) => rows.begin(row, contentHash),
    async keep(row, kept) {
      const isKept = await rows.keep(row, kept);
      if (isKept) reach('made-ready');
      return isKept;
    },
  };
}

function channelThatFails(channel: Channel, reach: Reach): Channel {
  const { lookup, keyLifetimeMs, refresh, readying } = channel;
  return {
    name: channel.name,
    class: channel.class,
    acceptedWithin: channel.acceptedWithin,
    ...(keyLifetimeMs === undefined ? {} : { keyLifetimeMs }),
    warm: (accounts) => channel.warm(accounts),
    prepare: (account, payload) => channel.prepare(account, payload),
    originOf: (prepared) => channel.originOf(prepared),
    ...(lookup === undefined ? {} : { lookup: (prepared, attempt) => lookup.call(channel, prepared, attempt) }),
    ...(refresh === undefined ? {} : { refresh }),
    ...(readying === undefined ? {} : { readying }),
    close: () => channel.close(),
    async send(prepared, attempt) {
      const mayStart = () => {
        const may = attempt.mayStart();
        // The channel writes in this tick.
        if (may) queueMicrotask(() => reach('request-sent'));
        return may;
      };
      const outcome = await channel.send(prepared, { ...attempt, mayStart });
      if (outcome !== 'not_started' && outcome.status !== undefined) reach('answer-received');
      return outcome;
    },
  };
}
