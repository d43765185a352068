import { dirname } from 'node:path';
import { UserError } from '../core/errors';
import { shortJson } from '../core/short-json';
import { SPOUT } from '../streams';
import type { Environment } from './environment';
import { type Fault, type FoundChannels, packagesIn, parseTopology, valueAt } from './topology-faults';
import { TopologyFile } from './topology-file';
import type { TopologySettings } from './topology-schema';

export type { BoltSettings, TopologySettings } from './topology-schema';

/** The topology file, with an environment's overrides merged in, as plain data with its units: any version reads it again. */
type Specification = Readonly<Record<string, unknown>>;

/** A topology file that was read. */
export interface ReadTopology {
  readonly specification: Specification;
  readonly settings: TopologySettings;
  /** The paths of what was read, the one that counts first last. */
  readonly files: readonly string[];
}

export interface TopologyOptions {
  /** topology.yaml of the current folder, or the one that comes with the package, unless given. */
  readonly path?: string | undefined;
  /** `production` merges `topology.production.yaml`, which lies beside the first, into it. */
  readonly environment?: string | undefined;
  /**
   * Finds the channels that there are, given the packages that the file names and the folder in which it lies. Then a component
   * that is none of them is refused, and a package that is missing.
   */
  readonly channels?: ((packages: readonly string[], folder: string) => FoundChannels) | undefined;
}

/** How many characters of a value an error shows. */
const SHOWN_CHARACTERS = 60;

/** How many workers each component is to have. */
export function replicasOf({ spout, bolts }: TopologySettings): ReadonlyMap<string, number> {
  return new Map(Object.entries({ [SPOUT]: spout, ...bolts }).map(([name, { replicas }]) => [name, replicas]));
}

/** @throws UserError with a line for every fault: file, line, field, value and what is allowed */
export function readTopologyFile(options: TopologyOptions = {}): ReadTopology {
  return parseFile(TopologyFile.read(options.path, options.environment), options.channels);
}

/** What the environment names: DOWNSPOUT_TOPOLOGY and DOWNSPOUT_ENVIRONMENT. @throws UserError as readTopologyFile */
export function topologyOf(environment: Environment): TopologySettings {
  return readTopologyFile({ path: environment.DOWNSPOUT_TOPOLOGY, environment: environment.DOWNSPOUT_ENVIRONMENT })
    .settings;
}

/**
 * The text of a file.
 * @internal for tests
 * @throws UserError as readTopologyFile
 */
export function parseTopologySettings(text: string, file: string): TopologySettings {
  return parseFile(TopologyFile.of(text, file), undefined).settings;
}

/**
 * A specification that is no file any more.
 * @param source where it comes from, for the error: `release 7`
 * @throws UserError with a line for every fault
 */
export function parseSpecification(value: unknown, source: string): TopologySettings {
  const parsed = parseTopology(value);
  if ('settings' in parsed) return parsed.settings;
  throw new UserError(parsed.faults.map((fault) => `${source}: ${textOf(fault, value)}`).join('\n'));
}

/** The same where it need not be readable: null for what this version does not understand. */
export function settingsOrNull(specification: unknown): TopologySettings | null {
  const parsed = parseTopology(specification);
  return 'settings' in parsed ? parsed.settings : null;
}

function parseFile(file: TopologyFile, channels: TopologyOptions['channels']): ReadTopology {
  const { specification, faults, files } = file;
  const found = () => channels?.(packagesIn(specification), dirname(files[0] as string));
  const parsed = file.isBroken ? { faults: [] } : parseTopology(specification, found());
  if ('settings' in parsed && faults.length === 0) {
    return { specification: specification as Specification, settings: parsed.settings, files };
  }
  const ofFields = 'faults' in parsed ? parsed.faults : [];
  const all = [
    ...faults,
    ...ofFields.map((fault) => ({ ...file.placeOf(fault.path), text: textOf(fault, specification) })),
  ];
  // As they stand in the files.
  const sorted = all.toSorted((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line);
  throw new UserError(sorted.map((fault) => `${fault.file}:${fault.line}: ${fault.text}`).join('\n'));
}

function textOf({ path, text }: Fault, specification: unknown): string {
  const value = valueAt(specification, path);
  const name = path.length === 0 ? 'the whole' : path.join('.');
  return `${name} ${value === undefined ? 'is missing' : `is ${shortJson(value, SHOWN_CHARACTERS)}`}: ${text}`;
}
