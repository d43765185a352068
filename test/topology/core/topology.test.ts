import type { Bolt } from '../../../topology/core/bolt';
import { UserError } from '../../../topology/core/errors';
import { fieldsGrouping } from '../../../topology/core/grouping';
import type { Spout } from '../../../topology/core/spout';
import { type Codec, stream } from '../../../topology/core/stream';
import { type BoltWiring, type SpoutWiring, TopologyBuilder } from '../../../topology/core/topology';

interface Change {
  readonly id: number;
}
interface Word {
  readonly text: string;
  readonly length: number;
  readonly letters: readonly string[];
}

const codec = { encode: () => Buffer.alloc(0), decode: () => ({}) };
const changes = stream('changes', codec as unknown as Codec<Change>);
const words = stream('words', codec as unknown as Codec<Word>);
const others = stream('others', codec as unknown as Codec<Word>);

// Parts that are never run.
const spout = () => ({}) as Spout<Change>;
const bolt = () => ({}) as Bolt<Word>;
const boltOfChanges = () => ({}) as Bolt<Change>;

const following: SpoutWiring<Change> = { feed: changes, emits: [words], create: spout };
const reading: BoltWiring<Word> = { reads: words, grouping: fieldsGrouping('text'), create: bolt };

function faults(build: (builder: TopologyBuilder) => TopologyBuilder): string {
  try {
    build(new TopologyBuilder()).build();
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return '';
}

describe('the topology builder', () => {
  it('gives the graph as frozen data', () => {
    const topology = new TopologyBuilder().spout('source', following).bolt('counter', reading).build();
    expect(topology.connections).toEqual([
      {
        stream: words,
        grouping: expect.objectContaining({ name: 'fields(text)' }),
        spout: 'source',
        bolts: ['counter'],
      },
    ]);
    expect(topology.connections[0]?.grouping.key({ text: 'abc', length: 3, letters: [] })).toBe('abc');
    for (const frozen of [topology, topology.spouts, topology.spouts[0], topology.bolts, topology.bolts[0]]) {
      expect(Object.isFrozen(frozen)).toBe(true);
    }
    expect(Object.isFrozen(topology.connections) && Object.isFrozen(topology.connections[0]?.bolts)).toBe(true);
  });

  it('lets two bolts read one stream when they agree on the grouping', () => {
    const two = new TopologyBuilder().spout('source', following).bolt('one', reading);
    two.bolt('two', { ...reading, grouping: fieldsGrouping('text') });
    expect(two.build().connections[0]?.bolts).toEqual(['one', 'two']);
  });

  const wrong: [string, (builder: TopologyBuilder) => TopologyBuilder, string][] = [
    [
      'an unknown stream',
      (builder) =>
        builder
          .spout('source', following)
          .bolt('counter', reading)
          .bolt('lost', { ...reading, reads: others }),
      'bolt "lost" reads the unknown stream "others": no spout emits it (there are "words")',
    ],
    [
      'an unread stream',
      (builder) => builder.spout('source', { ...following, emits: [words, others] }).bolt('counter', reading),
      'stream "others" is emitted and nobody reads it',
    ],
    [
      'a part that is named twice',
      (builder) => builder.spout('source', following).bolt('source', reading),
      'part "source" is named twice',
    ],
    [
      'two groupings for one stream',
      (builder) =>
        builder
          .spout('source', following)
          .bolt('one', reading)
          .bolt('two', { ...reading, grouping: fieldsGrouping('length') }),
      'stream "words" has two groupings (fields(text), fields(length))',
    ],
    [
      'a spout without feed',
      (builder) =>
        builder
          .spout('source', { emits: [words], create: spout } as unknown as SpoutWiring<Change>)
          .bolt('counter', reading),
      'spout "source" has no feed',
    ],
    ['a spout that emits nothing', (builder) => builder.spout('source', { ...following, emits: [] }), 'emits nothing'],
    [
      'a stream of two spouts',
      (builder) => builder.spout('one', following).spout('two', following).bolt('counter', reading),
      'stream "words" is emitted twice',
    ],
    ['no spout', (builder) => builder, 'there is no spout'],
    ['an ill name', (builder) => builder.spout('The Source', following).bolt('counter', reading), 'part "The Source"'],
  ];

  it.each(wrong)('refuses %s', (_, build, text) => {
    expect(faults(build)).toContain(text);
  });

  it('tells everything that is wrong at once', () => {
    const text = faults((builder) => builder.spout('a', { ...following, emits: [others] }).bolt('a', reading));
    expect(text.split('\n')).toHaveLength(4);
  });

  it('does not compile when parts do not fit', () => {
    expect(wrongWiring).toBeInstanceOf(Function);
  });
});

/** Never run: the compiler is the test, and an expected error that is missing is one. */
function wrongWiring(builder: TopologyBuilder): void {
  // @ts-expect-error a bolt of other tuples
  builder.bolt('a', { reads: words, grouping: fieldsGrouping('text'), create: boltOfChanges });
  // @ts-expect-error a spout of another feed
  builder.spout('b', { feed: words, emits: [words], create: spout });
  // @ts-expect-error a field that the tuples do not have
  builder.bolt('c', { reads: words, grouping: fieldsGrouping('colour'), create: bolt });
  // @ts-expect-error a field that cannot be a key
  builder.bolt('d', { reads: words, grouping: fieldsGrouping('letters'), create: bolt });
  // @ts-expect-error no grouping
  builder.bolt('e', { reads: words, create: bolt });
  // @ts-expect-error no feed
  builder.spout('f', { emits: [words], create: spout });
  // @ts-expect-error values of another stream
  builder.spout('g', { ...following, create: ({ emit }) => (void emit(words, [{ id: 1 }]), spout()) });
}
