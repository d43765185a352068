import type { Bolt } from './bolt';
import type { Clock, DatabaseClock } from './clock';
import { UserError } from './errors';
import type { Grouping } from './grouping';
import type { Lease } from './lease';
import type { Pauses } from './pauses';
import type { Emit, PartitionOf, Spout } from './spout';
import type { Stream } from './stream';

/** What the worker gives to every spout and bolt that it runs. */
export interface BoltContext {
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly lease: Lease;
  readonly pauses: Pauses;
  /** Takes what was thrown in work that nobody awaits. Unavailable is logged; anything else ends the worker. */
  readonly onError: (error: unknown) => void;
}

export interface SpoutContext extends BoltContext {
  /** Appends to the streams that the spout's wiring names; it throws for others. */
  readonly emit: Emit;
  readonly partitionOf: PartitionOf;
}

export interface SpoutWiring<Feed> {
  /** The changes that the spout is told. Written from outside of the topology. */
  readonly feed: Stream<Feed>;
  readonly emits: readonly Stream<unknown>[];
  readonly create: (context: SpoutContext) => Spout<NoInfer<Feed>>;
}

export interface BoltWiring<In> {
  readonly reads: Stream<In>;
  /** Which task gets a tuple. The spout that emits to the stream follows it. */
  readonly grouping: Grouping<NoInfer<In>>;
  readonly create: (context: BoltContext) => Bolt<NoInfer<In>>;
}

export interface SpoutPart<Feed = unknown> extends SpoutWiring<Feed> {
  readonly name: string;
}

export interface BoltPart<In = unknown> extends BoltWiring<In> {
  readonly name: string;
}

/** A stream between parts: who writes, who reads, and which partition a tuple goes to. */
interface Connection {
  readonly stream: Stream<unknown>;
  readonly grouping: Grouping<unknown>;
  readonly spout: string;
  readonly bolts: readonly string[];
}

/** The graph, checked and frozen. Every worker knows all of it and runs the parts it is told to. */
export interface Topology {
  readonly spouts: readonly SpoutPart[];
  readonly bolts: readonly BoltPart[];
  /** The streams that spouts emit to. */
  readonly connections: readonly Connection[];
}

/** Becomes a part of Kafka's topic and group names, of metrics and of file names. */
const NAME = /^[a-z][a-z0-9-]{0,63}$/;

/**
 * Puts a topology together. A part that does not fit its stream does not compile; `build` checks what types cannot express.
 * Storm's TopologyBuilder, with types.
 */
export class TopologyBuilder {
  private readonly spouts: SpoutPart[] = [];
  private readonly bolts: BoltPart[] = [];

  spout<Feed>(name: string, wiring: SpoutWiring<Feed>): this {
    this.spouts.push(Object.freeze({ name, ...wiring }) as SpoutPart);
    return this;
  }

  bolt<In>(name: string, wiring: BoltWiring<In>): this {
    this.bolts.push(Object.freeze({ name, ...wiring }) as BoltPart);
    return this;
  }

  /** @throws UserError with one line for everything that is wrong */
  build(): Topology {
    const faults = [...this.faultsOfNames(), ...this.faultsOfStreams(), ...this.faultsOfGroupings()];
    if (faults.length > 0) throw new UserError(`The topology is wired wrongly:\n  ${faults.join('\n  ')}`);
    const connections = this.spouts.flatMap((spout) =>
      spout.emits.map((emitted) => {
        const readers = this.readersOf(emitted);
        const { grouping } = readers[0] as BoltPart;
        return Object.freeze({
          stream: emitted,
          grouping,
          spout: spout.name,
          bolts: Object.freeze(readers.map(({ name }) => name)),
        });
      }),
    );
    return Object.freeze({
      spouts: Object.freeze([...this.spouts]),
      bolts: Object.freeze([...this.bolts]),
      connections: Object.freeze(connections),
    });
  }

  private faultsOfNames(): string[] {
    const names = [...this.spouts, ...this.bolts].map(({ name }) => name);
    const ill = names.filter((name) => !NAME.test(name));
    const twice = new Set(names.filter((name, index) => names.indexOf(name) < index));
    return [
      ...(this.spouts.length === 0 ? ['there is no spout: nothing would ever be emitted'] : []),
      ...ill.map(
        (name) => `part ${JSON.stringify(name)}: a name is lower-case letters, digits and hyphens, 64 at most`,
      ),
      ...[...twice].map((name) => `part "${name}" is named twice: give each part a name of its own`),
    ];
  }

  private faultsOfStreams(): string[] {
    const emitted = this.spouts.flatMap(({ emits }) => emits);
    const twice = new Set(emitted.filter((one, index) => emitted.findIndex(({ name }) => name === one.name) < index));
    return [
      ...this.spouts
        .filter(({ feed }) => (feed as unknown) === undefined)
        .map(({ name }) => `spout "${name}" has no feed: name the stream of changes that it follows`),
      ...this.spouts
        .filter(({ emits }) => emits.length === 0)
        .map(({ name }) => `spout "${name}" emits nothing: give the topology at least one bolt`),
      ...emitted
        .filter((one) => this.readersOf(one).length === 0)
        .map(({ name }) => `stream "${name}" is emitted and nobody reads it: add a bolt, or do not emit it`),
      ...[...twice].map(({ name }) => `stream "${name}" is emitted twice: a stream has one spout`),
      ...this.bolts
        .filter(({ reads }) => emitted.every(({ name }) => name !== reads.name))
        .map(
          ({ name, reads }) =>
            `bolt "${name}" reads the unknown stream "${reads.name}": no spout emits it (there are ${
              emitted.map((one) => `"${one.name}"`).join(', ') || 'none'
            })`,
        ),
    ];
  }

  private faultsOfGroupings(): string[] {
    const streams = new Map(this.bolts.map(({ reads }) => [reads.name, reads]));
    return [...streams.values()].flatMap((stream) => {
      const groupings = new Set(this.readersOf(stream).map(({ grouping }) => grouping.name));
      if (groupings.size <= 1) return [];
      return [`stream "${stream.name}" has two groupings (${[...groupings].join(', ')}): its bolts must agree on one`];
    });
  }

  private readersOf(stream: Stream<unknown>): BoltPart[] {
    return this.bolts.filter(({ reads }) => reads.name === stream.name);
  }
}
