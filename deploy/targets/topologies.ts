import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type ReadTopology, readTopologyFile } from '../../topology/settings/topology-settings';

/** A topology file, and what it becomes in each environment that has a file beside it. */
export interface Topologies {
  readonly base: ReadTopology;
  /** By the name of the environment. */
  readonly overlays: ReadonlyMap<string, ReadTopology>;
}

/**
 * Reads topology.yaml and every `topology.<environment>.yaml` beside it.
 * @param path topology.yaml of the current folder, or the one that comes with the package, unless given
 * @throws UserError with a line for every fault
 */
export function readTopologies(path?: string): Topologies {
  const base = readTopologyFile({ path });
  const file = base.files[0] as string;
  const [stem, end] = apart(basename(file));
  const environments = readdirSync(dirname(file))
    .filter((name) => name.startsWith(`${stem}.`) && name.endsWith(end))
    .map((name) => name.slice(stem.length + 1, -end.length))
    .filter((name) => /^[a-z0-9-]{1,40}$/.test(name));
  const overlays = environments
    .toSorted()
    .map((environment) => [environment, readTopologyFile({ path, environment })] as const);
  return { base, overlays: new Map(overlays) };
}

/** `topology.yaml` → `topology`, `.yaml`. */
function apart(name: string): [string, string] {
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot)];
}
