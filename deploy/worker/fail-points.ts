import { writeSync } from 'node:fs';
import { z } from 'zod';
import type { Channel } from '../../bolts/channel';
import type { ReadyRows } from '../../bolts/ready-rows';
import type { SendRows } from '../../bolts/send-rows';
import type { OpenRows } from '../../spouts/open-rows';
import { UserError } from '../../topology/core/errors';
import type { GroupMember, StreamsClient } from '../../topology/runtime/streams-client';
import { SPOUT } from '../../topology/streams';

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
  /**
   * Channels each of which is to have come to the place so often. What a bolt of theirs does next waits until all have, so the process
   * ends with each of them at the place, and one life of it does for all channels. What comes from the feed names no channel.
   */
  readonly of?: readonly string[] | undefined;
}

const failPointSchema = z.object({
  name: z.enum(failPointNames),
  action: z.enum(failActions),
  nth: z.coerce.number().int().min(1),
  of: z.array(z.string().regex(/^[a-z][a-z0-9-]*$/, 'expected names of channels with + between them')).optional(),
});

/**
 * The value of DOWNSPOUT_FAIL_POINTS: `name:action`, `name:action:nth` or `name:action:nth:channel+channel`, separated by commas.
 * @throws UserError naming the variable, its value and what is allowed
 */
export function parseFailPoints(text: string | undefined): readonly FailPoint[] {
  if (text === undefined) return [];
  const points = text.split(',').map((point) => {
    const [name, action, nth = 1, ...of] = point.split(':');
    return { name, action, nth, ...(of.length > 0 && { of: of.join(':').split('+') }) };
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

/** Which places were passed, and what waits at one. */
class Places {
  private readonly times = new Map<string, number>();
  private readonly come = new Map<FailPoint, Set<string>>();
  private readonly waiting = new Set<string>();

  constructor(
    private readonly points: readonly FailPoint[],
    private readonly act: (point: FailPoint) => void,
  ) {}

  /** @param channel of what passes it, where that is known */
  reach(name: FailPointName, channel?: string): void {
    const time = this.count(name);
    const ofChannel = channel === undefined ? 0 : this.count(`${name} ${channel}`);
    for (const point of this.points) {
      if (point.name !== name) continue;
      if (point.of === undefined) {
        if (point.nth === time) this.act(point);
      } else if (channel !== undefined && point.nth === ofChannel && point.of.includes(channel)) {
        this.comes(point, point.of, channel);
      }
    }
  }

  /** Ends at once, or never for a channel that waits. */
  pass(channel: string): Promise<void> | undefined {
    return this.waiting.has(channel) ? new Promise(() => undefined) : undefined;
  }

  private comes(point: FailPoint, all: readonly string[], channel: string): void {
    const come = this.come.get(point) ?? new Set();
    this.come.set(point, come.add(channel));
    if (come.size === new Set(all).size) this.act(point);
    else this.waiting.add(channel);
  }

  private count(what: string): number {
    const time = (this.times.get(what) ?? 0) + 1;
    this.times.set(what, time);
    return time;
  }
}

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
  const places = new Places(points, act);
  return {
    streams: streamsThatFail(ports.streams, places),
    openRows: openRowsThatFail(ports.openRows, places),
    sendRows: (channel) => sendRowsThatFail(ports.sendRows(channel), places, channel),
    readyRows: readyRowsThatFail(ports.readyRows, places),
    channels: new Map([...ports.channels].map(([name, channel]) => [name, channelThatFails(channel, places)])),
  };
}

/** Names the place on standard error first, so that a test knows where the process ended. */
function signalItself({ name, action }: FailPoint): void {
  writeSync(process.stderr.fd, `fail-point ${name}: ${action}\n`);
  process.kill(process.pid, signals[action]);
}

function streamsThatFail(streams: StreamsClient, places: Places): StreamsClient {
  return {
    partitions: (stream) => streams.partitions(stream),
    async append(stream, records) {
      const offsets = await streams.append(stream, records);
      const channel = stream.replace(`${SPOUT}.`, '');
      places.reach('emitted', channel);
      setImmediate(() => places.reach('acknowledged', channel));
      return offsets;
    },
    follow: (component, stream, listener) =>
      streams.follow(component, stream, {
        ...listener,
        records(partition, records, end) {
          places.reach('cdc-seen');
          const taken = listener.records(partition, records, end);
          places.reach('bucketed');
          return taken;
        },
      }),
    consume: async (component, stream, listener) =>
      memberThatFails(await streams.consume(component, stream, listener), places, component),
  };
}

function memberThatFails(member: GroupMember, places: Places, component: string): GroupMember {
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
      if (moved) places.reach('offset-committed', component);
    },
  };
}

function openRowsThatFail(rows: OpenRows, places: Places): OpenRows {
  return {
    async page(channel, cursors, below, limit) {
      const page = await rows.page(channel, cursors, below, limit);
      if (page.length > 0) places.reach('loaded', channel);
      return page;
    },
    leasesOf: (...query) => rows.leasesOf(...query),
    markDead: (leases) => rows.markDead(leases),
    recover: (lost, delayMs) => rows.recover(lost, delayMs),
  };
}

function sendRowsThatFail(rows: SendRows, places: Places, channel: string): SendRows {
  /** A channel that waits asks for nothing more, and hears of nothing. */
  async function between<T>(
    asked: () => Promise<T>,
    name?: FailPointName | ((answer: T) => FailPointName | undefined),
  ) {
    await places.pass(channel);
    const answer = await asked();
    const place = typeof name === 'function' ? name(answer) : name;
    if (place !== undefined) places.reach(place, channel);
    await places.pass(channel);
    return answer;
  }
  return {
    async read(ids, maxPayloadBytes) {
      const found = await between(() => rows.read(ids, maxPayloadBytes));
      if (found.some(({ state }) => state === 'scheduled')) setImmediate(() => places.reach('prefetched', channel));
      return found;
    },
    claim: (session, claimed, ahead) =>
      between(
        () => rows.claim(session, claimed, ahead),
        (won) => (won === 0 ? undefined : ahead > 0 ? 'claim-committed-ahead' : 'claim-committed'),
      ),
    settleUnclaimed: (session, results) => between(() => rows.settleUnclaimed(session, results)),
    writeBack: (session, results) =>
      between(
        () => rows.writeBack(session, results),
        (unwritten) => (unwritten.length < results.length ? 'written-back' : undefined),
      ),
    journal: (session, results) => between(() => rows.journal(session, results), 'journaled'),
    writeAlone: (session, result, release) =>
      between(
        () => rows.writeAlone(session, result, release),
        (verdict) => (verdict === 'written' ? 'written-back' : undefined),
      ),
    kept: (id, planNumber) => between(() => rows.kept(id, planNumber)),
    keep: (session, row, kept) =>
      between(
        () => rows.keep(session, row, kept),
        (isKept) => (isKept ? 'ids-kept' : undefined),
      ),
  };
}

function readyRowsThatFail(rows: ReadyRows, places: Places): ReadyRows {
  const channels = new Map<number, string>();
  return {
    async upcoming(channel, range) {
      const upcoming = await rows.upcoming(channel, range);
      for (const { id } of upcoming) channels.set(id, channel);
      return upcoming;
    },
    begin: (row, contentHash) => rows.begin(row, contentHash),
    async keep(row, kept) {
      const isKept = await rows.keep(row, kept);
      const channel = channels.get(row.id);
      if (isKept) places.reach('made-ready', channel);
      if (channel !== undefined) await places.pass(channel);
      return isKept;
    },
  };
}

function channelThatFails(channel: Channel, places: Places): Channel {
  const { lookup, keyLifetimeMs, refresh, readying, appOf } = channel;
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
    ...(appOf === undefined ? {} : { appOf }),
    close: () => channel.close(),
    async send(prepared, attempt) {
      const mayStart = () => {
        const may = attempt.mayStart();
        // The channel writes in this tick.
        if (may) queueMicrotask(() => places.reach('request-sent', channel.name));
        return may;
      };
      const outcome = await channel.send(prepared, { ...attempt, mayStart });
      if (outcome !== 'not_started' && outcome.status !== undefined) places.reach('answer-received', channel.name);
      await places.pass(channel.name);
      return outcome;
    },
  };
}
