import { UserError } from '../../topology/core/errors';
import { nearestWord } from '../../topology/core/nearest-word';
import { parseSpecification, type TopologySettings } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { type Growth, growing } from './growths';

/** How much of a component there is to be. */
export interface Scale {
  readonly component: string;
  readonly field: 'replicas' | 'partitions';
  readonly count: number;
}

/** `webhook=6`, `due.partitions=16`. @throws UserError */
export function parseScale(text: string): Scale {
  const [, component, field = 'replicas', count] =
    /^([\w-]+?)(?:\.(replicas|partitions))?=([1-9]\d{0,3})$/.exec(text) ?? [];
  if (component === undefined || count === undefined) {
    throw new UserError(`${text}: expected a component and a count, such as webhook=6 or webhook.partitions=16.`);
  }
  return { component, field: field as Scale['field'], count: Number(count) };
}

/**
 * A specification with other counts; everything else stays as it is written.
 * @throws UserError for a component that it does not have, and for what no file could say: more workers than partitions
 */
export function scaled(specification: unknown, scales: readonly Scale[]): unknown {
  const before = parseSpecification(specification, 'the release');
  const fields = scales.map(({ component, field }) => `${component}.${field}`);
  const twice = fields.find((field, index) => fields.indexOf(field) !== index);
  if (twice !== undefined) throw new UserError(`${twice} is given twice. Give one count of each.`);
  for (const { component } of scales) if (sizeOf(before, component) === undefined) throw unknown(before, component);
  const copy = withCounts(specification, scales);
  parseSpecification(
    copy,
    `scale ${scales.map(({ component, field, count }) => `${component}.${field}=${count}`).join(' ')}`,
  );
  return copy;
}

/**
 * The same beside streams that may have more partitions by now than the specification says, which stay.
 * @param there what the streams have
 * @throws UserError as `scaled` does, and for a stream that is to have fewer partitions than it has
 */
export function scaledBeside(specification: unknown, there: readonly Growth[], scales: readonly Scale[]): unknown {
  const copy = scaled(withCounts(specification, keptPartitions(there)), scales);
  const after = parseSpecification(copy, 'the scaled release');
  growing(there.map((one) => ({ ...one, to: sizeOf(after, one.component)?.partitions ?? one.to })));
  return copy;
}

/** The counts of streams that have more partitions than they are to have. */
export function keptPartitions(there: readonly Growth[]): Scale[] {
  return there.flatMap(({ component, from, to }) =>
    from > to ? [{ component, field: 'partitions', count: from }] : [],
  );
}

/** A specification with these counts written into it. */
export function withCounts(specification: unknown, scales: readonly Scale[]): unknown {
  const copy = structuredClone(specification) as { components: Record<string, Record<string, unknown> | null> };
  for (const { component, field, count } of scales) {
    copy.components[component] = { ...copy.components[component], [field]: count };
  }
  return copy;
}

/** What of these counts a file says otherwise, one line each. */
export function differing(file: TopologySettings, scales: readonly Scale[]): string[] {
  return scales.flatMap(({ component, field, count }) => {
    const said = sizeOf(file, component)?.[field];
    return said === count ? [] : [`${component}.${field} is ${said ?? 'not'} in the file and ${count} in what runs`];
  });
}

function sizeOf({ spout, bolts }: TopologySettings, component: string) {
  return component === SPOUT ? spout : bolts[component];
}

function unknown({ bolts }: TopologySettings, component: string): UserError {
  const names = [SPOUT, ...Object.keys(bolts)];
  const near = nearestWord(component, names);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  return new UserError(
    `There is no component "${component}" in the release that runs.${hint} It has: ${names.join(', ')}.`,
  );
}
