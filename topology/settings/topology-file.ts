import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import {
  type Document,
  isAlias,
  isNode,
  isScalar,
  isSeq,
  isMap as isYamlMap,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import { reasonOf, UserError } from '../core/errors';
import { decodeText } from '../core/text-encoding';
import { packageRoot } from './package';
import { isMap, valueAt } from './topology-faults';

/** A line of a file. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** What is wrong at a place. */
interface TextFault extends Place {
  readonly text: string;
}

/** One file as it was read. */
interface Source {
  readonly file: string;
  readonly document: Document;
  readonly lines: LineCounter;
  readonly value: unknown;
  readonly faults: readonly TextFault[];
  /** What follows from its text is not to be trusted. */
  readonly isBroken: boolean;
}

/** A topology.yaml, with the file of one environment merged into it where one is asked for. */
export class TopologyFile {
  private constructor(private readonly sources: readonly Source[]) {}

  /**
   * @param path topology.yaml of the current folder, or the one that comes with the package, unless given
   * @param environment `production` adds `topology.production.yaml`, which lies beside the first
   * @throws UserError when a file cannot be read
   */
  static read(path: string | undefined, environment: string | undefined): TopologyFile {
    const file = path ?? topologyPath();
    const base = parsed(file, textOf(file, 'Set DOWNSPOUT_TOPOLOGY to the path of a topology.yaml.'));
    if (environment === undefined) return new TopologyFile([base]);
    const override = fileOf(file, environment);
    return new TopologyFile([base, parsed(override, textOf(override, othersThan(file, environment)))]);
  }

  static of(text: string, file: string): TopologyFile {
    return new TopologyFile([parsed(file, text)]);
  }

  /** The files, the one that counts first last. */
  get files(): readonly string[] {
    return this.sources.map(({ file }) => file);
  }

  /** Of the text: syntax, keys that stand twice, and what an override removes that is not there. */
  get faults(): TextFault[] {
    return [...this.sources.flatMap(({ faults }) => faults), ...this.emptyRemovals()];
  }

  /** Whether a text could not be read to its end, so that what it says further on is unknown. */
  get isBroken(): boolean {
    return this.sources.some(({ isBroken }) => isBroken);
  }

  /** All files as one: maps are merged, anything else replaces what was there, and null removes it. */
  get specification(): unknown {
    const [base, ...overrides] = this.sources.map(({ value }) => value);
    return overrides.reduce((before, value) => (value === null ? before : merged(before, value)), base);
  }

  /** Where the value stands; the place around it when none of the files gives it. */
  placeOf(path: readonly string[]): Place {
    const places = this.sources.map((source) => ({ ...find(source, path), file: source.file }));
    const deepest = Math.max(...places.map(({ depth }) => depth));
    // A value counts from the last file that gives it; what is missing belongs to the first.
    const found = deepest === path.length ? places.toReversed() : places;
    return found.find(({ depth }) => depth === deepest) as Place;
  }

  private emptyRemovals(): TextFault[] {
    const [base, override] = this.sources;
    if (base === undefined || override === undefined) return [];
    return nullsOf(override.value).flatMap((path) => {
      if (valueAt(base.value, path) !== undefined) return [];
      const text = `${path.join('.')} is null, which removes it, but ${base.file} does not have it`;
      return [{ file: override.file, line: find(override, path).line, text }];
    });
  }
}

/** topology.yaml of the current folder, or the one that comes with the package. */
export function topologyPath(): string {
  const own = join(process.cwd(), 'topology.yaml');
  return existsSync(own) ? own : join(packageRoot(), 'topology.yaml');
}

function parsed(file: string, text: string): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = [...document.errors, ...document.warnings];
  const faults = problems.map(({ pos, message }) => ({ file, line: lines.linePos(pos[0]).line, text: message }));
  const isBroken = problems.some(({ code }) => code !== 'DUPLICATE_KEY');
  try {
    const value: unknown = document.toJS();
    // It throws for an alias that leads into itself.
    JSON.stringify(value);
    return { file, document, lines, value, faults, isBroken };
  } catch (error) {
    const circle = { file, line: 1, text: reasonOf(error) };
    return { file, document, lines, value: null, faults: [...faults, circle], isBroken: true };
  }
}

/** `topology.production.yaml` beside `topology.yaml`. */
function fileOf(base: string, environment: string): string {
  const extension = extname(base);
  return join(dirname(base), `${basename(base, extension)}.${environment}${extension}`);
}

function textOf(file: string, advice: string): string {
  try {
    return decodeText(readFileSync(file));
  } catch (error) {
    // The advice is for a file that is not there.
    if (error instanceof UserError) throw new UserError(`${file}: ${error.message}.`);
    throw new UserError(`${file}: ${reasonOf(error)}. ${advice}`);
  }
}

function othersThan(base: string, environment: string): string {
  const [before = '', after = ''] = basename(fileOf(base, '\n')).split('\n');
  const names = readdirSync(dirname(base)).flatMap((name) =>
    name.startsWith(before) && name.endsWith(after) && name.length > before.length + after.length
      ? [name.slice(before.length, name.length - after.length)]
      : [],
  );
  const there = names.length === 0 ? 'there is none for any environment' : `there are files for ${names.join(', ')}`;
  return `The environment is ${environment}, and beside ${basename(base)} ${there}. Write the file, or change DOWNSPOUT_ENVIRONMENT or --environment.`;
}

function merged(before: unknown, override: unknown): unknown {
  if (!isMap(before) || !isMap(override)) return override;
  const changed = Object.entries(override).map(([name, value]) => [name, merged(before[name], value)] as const);
  return Object.fromEntries([...Object.entries(before), ...changed].filter(([name]) => override[name] !== null));
}

function nullsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (value === null) return path.length === 0 ? [] : [path];
  return isMap(value) ? Object.entries(value).flatMap(([name, inner]) => nullsOf(inner, [...path, name])) : [];
}

/** How far the path leads into the document, and the line of the last key on the way. */
function find({ document, lines }: Source, path: readonly string[]): { depth: number; line: number } {
  let node: unknown = document.contents;
  let line = 1;
  for (const [depth, name] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node)) {
      const entry = node.items[Number(name)];
      if (!isNode(entry)) return { depth, line };
      line = lines.linePos(entry.range?.[0] ?? 0).line;
      node = entry;
      continue;
    }
    const pair = isYamlMap(node)
      ? node.items.find(({ key }) => isScalar(key) && String(key.value) === name)
      : undefined;
    if (pair === undefined) return { depth, line };
    line = lines.linePos((pair.key as Node).range?.[0] ?? 0).line;
    node = pair.value;
  }
  return { depth: path.length, line };
}
