import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { packageRoot } from '../../../topology/settings/package';

/** Components as they are written in topology.yaml. */
export type FileComponents = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The text of the topology.yaml that comes with the package, with components changed or added. */
export function topologyFile(change: (components: FileComponents) => FileComponents): string {
  const text = readFileSync(join(packageRoot(), 'topology.yaml'), 'utf8');
  const { components } = parse(text) as { components: FileComponents };
  return stringify({ components: change(components) });
}
