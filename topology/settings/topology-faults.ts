import type { z } from 'zod';
import { nearestWord } from '../core/nearest-word';
import { SPOUT } from '../streams';
import {
  boltFields,
  COMPONENT_NAME,
  isChannelSource,
  limitFields,
  MAX_CHANNELS,
  quotaFields,
  spoutFields,
  type TopologySettings,
  topicFields,
  topologySchema,
} from './topology-schema';

/** What is wrong with one field. */
export interface Fault {
  readonly path: readonly string[];
  /** What was expected, or what to do; a part of a sentence. */
  readonly text: string;
}

/** The channels that there are where a topology file lies. */
export interface FoundChannels {
  /** Of all of them: ours, and those of packages. */
  readonly names: readonly string[];
  /** Why the channel of a package is not among them, by the package. */
  readonly missing: ReadonlyMap<string, string>;
}

/** Settings, or everything that is wrong. */
export type Parsed = { readonly settings: TopologySettings } | { readonly faults: readonly Fault[] };

/** Names that settings had. They are refused by name, because their values meant something else. */
const renamed: Readonly<Record<string, string>> = {
  perHost: 'perHost is called perOrigin now: write that instead',
  attempts: 'attempts is called giveUpAfter now and is a time, e.g. 24h: write that instead',
};

/** Two fields of which the first may not be greater, and why. */
const orders = [
  {
    lesser: 'replicas',
    greater: 'partitions',
    why: 'a partition has one worker at a time, so the others would have nothing to do. Raise partitions, or lower replicas',
  },
  { lesser: 'backOff', greater: 'backOffMax', why: 'no delay is longer than backOffMax' },
  { lesser: 'minInsyncReplicas', greater: 'replicationFactor', why: 'a topic with fewer copies takes no records' },
];

/**
 * Finds all faults of a specification at once: what the schema refuses, and what contradicts something else.
 * @param channels when given, a component with another name is a fault too, and a package that is missing
 */
export function parseTopology(specification: unknown, channels?: FoundChannels): Parsed {
  const result = topologySchema.safeParse(specification);
  const found = [
    ...(result.success ? [] : result.error.issues.flatMap((issue) => faultsOf(issue))),
    ...contradictions(specification),
    ...missingPackages(specification, channels),
    ...wrongNames(specification, channels),
  ];
  const first = new Map(found.map((fault) => [fault.path.join('\n'), fault] as const).toReversed());
  if (result.success && first.size === 0) return { settings: result.data };
  return { faults: [...first.values()].toReversed() };
}

/** The value at `path`; undefined when there is none. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      (isMap(inner) || Array.isArray(inner)) && Object.hasOwn(inner, name)
        ? (inner as Readonly<Record<string, unknown>>)[name]
        : undefined,
    value,
  );
}

/** The packages that a specification names; what is no name of one is a fault by itself. */
export function packagesIn(specification: unknown): readonly string[] {
  return [...new Set(entriesOf(specification).filter((source) => isChannelSource(source)))];
}

function entriesOf(specification: unknown): readonly unknown[] {
  const entries = valueAt(specification, ['channels']);
  return Array.isArray(entries) ? (entries as readonly unknown[]).slice(0, MAX_CHANNELS) : [];
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => ({ path: [...path, name], text: unknownField(path, name) }));
  }
  if (issue.code === 'invalid_type' && issue.expected === 'object')
    return [{ path, text: 'expected a map of settings' }];
  return [{ path, text: issue.message }];
}

function unknownField(parent: readonly string[], name: string): string {
  if (parent[0] === 'components' && Object.hasOwn(renamed, name)) return renamed[name] as string;
  const known = Object.keys(fieldsOf(parent));
  const meant = nearestWord(name, known);
  const instead = meant === undefined ? `There are ${known.join(', ')}` : `Did you mean ${meant}?`;
  return `there is no such setting. ${instead}`;
}

function fieldsOf([section, component, field, scope]: readonly string[]): Readonly<Record<string, z.ZodType>> {
  if (section === 'topics') return topicFields;
  if (field === 'limits') return scope === undefined ? limitFields : quotaFields;
  if (section === 'components' && component !== undefined) return component === SPOUT ? spoutFields : boltFields;
  return topologySchema.in.shape;
}

function contradictions(specification: unknown): Fault[] {
  const components = valueAt(specification, ['components']);
  const places = [
    ['topics'],
    ...(isMap(components) ? Object.keys(components).map((name) => ['components', name]) : []),
  ];
  return places.flatMap((place) =>
    orders.flatMap(({ lesser, greater, why }) => {
      const less = fieldOf(specification, place, lesser);
      const more = fieldOf(specification, place, greater);
      if (less === undefined || more === undefined || less.parsed <= more.parsed) return [];
      return less.isGiven
        ? [{ path: [...place, lesser], text: `it is more than ${greater} (${more.shown}), and ${why}` }]
        : [{ path: [...place, greater], text: `it is less than ${lesser} (${less.shown} unless given), and ${why}` }];
    }),
  );
}

/** A field that is right by itself, or undefined. */
function fieldOf(specification: unknown, place: readonly string[], name: string) {
  const schema = fieldsOf(place)[name];
  const given = valueAt(specification, [...place, name]);
  const result = schema?.safeParse(given);
  if (schema === undefined || result?.success !== true || typeof result.data !== 'number') return undefined;
  const shown = (given ?? schema.meta()?.['default'] ?? result.data) as string | number;
  return { parsed: result.data, shown: `${shown}`, isGiven: given !== undefined };
}

function missingPackages(specification: unknown, channels: FoundChannels | undefined): Fault[] {
  return entriesOf(specification).flatMap((source, index) => {
    const text = typeof source === 'string' ? channels?.missing.get(source) : undefined;
    return text === undefined ? [] : [{ path: ['channels', String(index)], text }];
  });
}

function wrongNames(specification: unknown, channels: FoundChannels | undefined): Fault[] {
  const components = valueAt(specification, ['components']);
  if (!isMap(components)) return [];
  return Object.keys(components).flatMap((name) => {
    const path = ['components', name];
    if (!COMPONENT_NAME.test(name)) {
      return [{ path, text: 'a name is a letter and then up to 31 letters, digits, "_" or "-"' }];
    }
    if (channels === undefined || name === SPOUT || channels.names.includes(name)) return [];
    const meant = nearestWord(name, [SPOUT, ...channels.names]);
    const known = `expected ${SPOUT} or one of the channels ${channels.names.join(', ')}`;
    // What a package would have called its channel is not known before it is loaded.
    const orOf = channels.missing.size === 0 ? '' : `, or that of ${[...channels.missing.keys()].join(' or ')}`;
    return [
      { path, text: meant === undefined ? `${known}${orOf}` : `there is no such channel. Did you mean ${meant}?` },
    ];
  });
}
