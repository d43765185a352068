import { type Limits, limitsText } from '../../topology/core/limits';
import { durationText, sizeText } from '../../topology/core/quantities';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { counted } from '../console/units';

/** One field that differs between two specifications. Values are as a file has them, units included. */
export interface SpecificationChange {
  /** Null for what all topics have in common, and for the packages of channels. */
  readonly component: string | null;
  /** Null when the component is new or gone as a whole. */
  readonly field: string | null;
  /** Null when there was nothing. */
  readonly from: string | null;
  readonly to: string | null;
}

type Fields = ReadonlyMap<string, string>;

/**
 * What differs in effect: `2s` is `2000ms`, and a default that is written down is no change.
 * @param before null when there was none: then every component is new
 */
export function specificationDiff(before: TopologySettings | null, after: TopologySettings): SpecificationChange[] {
  const [old, now] = [componentsOf(before), componentsOf(after)];
  const topics = differing(null, fieldsOf(before?.topics ?? {}), fieldsOf(after.topics));
  const components = [...new Set([...old.keys(), ...now.keys()])].flatMap((component) => {
    const [was, is] = [old.get(component), now.get(component)];
    if (was !== undefined && is !== undefined) return differing(component, was, is);
    return [{ component, field: null, from: sizeOf(was), to: sizeOf(is) }];
  });
  const packages = differing(null, packagesOf(before), packagesOf(after));
  return [...packages, ...topics, ...components];
}

function componentsOf(settings: TopologySettings | null): ReadonlyMap<string, Fields> {
  if (settings === null) return new Map();
  const { spout, bolts } = settings;
  return new Map(Object.entries({ [SPOUT]: spout, ...bolts }).map(([name, fields]) => [name, fieldsOf(fields)]));
}

function packagesOf(settings: TopologySettings | null): Fields {
  const { channels = [] } = settings ?? {};
  return new Map(channels.length === 0 ? [] : [['channels', channels.join(', ')]]);
}

/** A unit stands last in a setting's name; the file has it behind the value. */
function fieldsOf(settings: Readonly<Record<string, number | string | Limits | null | undefined>>): Fields {
  return new Map(
    Object.entries(settings).flatMap(([name, value]) => {
      if (value === undefined) return [];
      if (typeof value === 'object' && value !== null) return [[name, limitsText(value)] as const];
      if (name.endsWith('Ms'))
        return [[name.slice(0, -2), value === null ? 'none' : durationText(Number(value))] as const];
      return [[name, name.endsWith('Bytes') ? sizeText(Number(value)) : String(value)] as const];
    }),
  );
}

function differing(component: string | null, was: Fields, is: Fields): SpecificationChange[] {
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((field) => {
    const [from, to] = [was.get(field) ?? null, is.get(field) ?? null];
    return from === to ? [] : [{ component, field, from, to }];
  });
}

function sizeOf(fields: Fields | undefined): string | null {
  if (fields === undefined) return null;
  const of = (name: string) => Number(fields.get(name));
  return `${counted(of('replicas'), 'worker')}, ${counted(of('partitions'), 'partition')}`;
}
