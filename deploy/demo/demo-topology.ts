import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type ReadTopology, readTopologyFile } from '../../topology/settings/topology-settings';

/** One worker sends what little there is of them. */
const COMPONENT = { replicas: 1 };

/**
 * Writes the topology that the demo deploys: the one that counts here, and a component for each of these channels that it does not have.
 * @param given what the environment names
 * @returns its path
 */
export function writeDemoTopology(
  given: Parameters<typeof readTopologyFile>[0],
  channels: readonly string[],
  folder: string,
): string {
  const specification = withChannels(readTopologyFile(given), channels);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'topology.yaml');
  // JSON is YAML too.
  writeFileSync(file, `${JSON.stringify(specification, null, 2)}\n`);
  return file;
}

function withChannels({ specification, files }: ReadTopology, names: readonly string[]): object {
  const { components, channels } = specification as { components: object; channels?: readonly string[] };
  const added = Object.fromEntries(names.map((name) => [name, COMPONENT]));
  const whole = { ...specification, components: { ...added, ...components } };
  if (channels === undefined) return whole;
  // The paths of packages are relative to the file that names them.
  const folder = dirname(resolve(files[0] as string));
  return { ...whole, channels: channels.map((one) => (one.startsWith('.') ? resolve(folder, one) : one)) };
}
