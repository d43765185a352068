import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { UserError } from '../../topology/core/errors';
import { topologyPath } from '../../topology/settings/topology-file';
import { type ReadTopology, readTopologyFile } from '../../topology/settings/topology-settings';
import { findChannels } from '../worker/known-channels';

/** A topology file, and what it becomes in each environment that has a file beside it. */
export interface Topologies {
  readonly base: ReadTopology;
  /** By the name of the environment. */
  readonly overlays: ReadonlyMap<string, ReadTopology>;
}

/**
 * Reads topology.yaml and every `topology.<environment>.yaml` beside it.
 * @param path topology.yaml of the current folder, or the one that comes with the package, unless given
 * @throws UserError with a line for every fault, of every file
 */
export function readTopologies(path?: string): Topologies {
  const file = path ?? topologyPath();
  const environments = environmentsBeside(file);
  const faults = new Set<string>();
  const [base, ...overlays] = [undefined, ...environments.toSorted()].map((environment) => {
    try {
      return [environment ?? '', readTopologyFile({ path: file, environment, channels: findChannels })] as const;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      // Those of the first are those of each.
      for (const line of error.message.split('\n')) faults.add(line);
      return undefined;
    }
  });
  if (base === undefined || faults.size > 0) throw new UserError([...faults].join('\n'));
  return { base: base[1], overlays: new Map(overlays.flatMap((one) => (one === undefined ? [] : [one]))) };
}

/** The environments for which there is a file beside topology.yaml. */
export function environmentsBeside(file: string): string[] {
  const [stem, end] = apart(basename(file));
  return (existsSync(file) ? readdirSync(dirname(file)) : [])
    .filter((name) => name.startsWith(`${stem}.`) && name.endsWith(end))
    .map((name) => name.slice(stem.length + 1, -end.length))
    .filter((name) => /^[a-z0-9-]{1,40}$/.test(name));
}

/** `topology.yaml` → `topology`, `.yaml`. */
function apart(name: string): [string, string] {
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot)];
}
