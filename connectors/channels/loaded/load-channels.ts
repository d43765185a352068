import { resolve } from 'node:path';
import { reasonOf, UserError } from '../../../topology/core/errors';
import { type Schemas, schemaOf } from '../../../topology/payloads/given-channel';
import { payloads } from '../../../topology/payloads/payloads';
import { packageRoot } from '../../../topology/settings/package';
import { SPOUT } from '../../../topology/streams';
import type { ChannelKinds } from '../channel-kind';
import { channelKinds } from '../channel-kinds';
import { type ChannelDefinition, checkDefinition } from './definition';
import { loadedKind } from './loaded-kind';

/** The channels that a process knows. */
export interface KnownChannels {
  readonly kinds: ChannelKinds;
  /** What their messages contain. */
  readonly schemas: Schemas;
  /** Why channels of packages are not among them, a sentence each, and what to do. */
  readonly faults: readonly string[];
  /** The same by package, without its name before it. */
  readonly missing: ReadonlyMap<string, string>;
}

/** Our own channels alone. */
export const ownChannels: KnownChannels = {
  kinds: channelKinds,
  schemas: payloads,
  faults: [],
  missing: new Map(),
};

/**
 * Our own channels, and those of packages. One that cannot be loaded is left out, and harms no other.
 *
 * @param sources names of packages, or paths that begin with a dot or a slash
 * @param folder against which paths are resolved, and in whose node_modules packages are looked for before those beside Downspout
 */
export function loadChannels(sources: readonly string[], folder: string): KnownChannels {
  let known = ownChannels;
  for (const source of sources) {
    try {
      const taken = [SPOUT, ...Object.keys(known.kinds)];
      const definition = checkDefinition(load(source, folder), source, taken);
      known = withChannel(known, definition);
    } catch (error) {
      known = withoutChannel(known, source, faultOf(error, source));
    }
  }
  return known;
}

/** What is no UserError comes from the code of the package: a getter, a schema. */
function faultOf(error: unknown, source: string): string {
  if (error instanceof UserError) return error.message;
  return `${source}: its channel cannot be used: ${reasonOf(error)}. Correct it, or install another version of the package.`;
}

function withChannel({ kinds, schemas, ...others }: KnownChannels, definition: ChannelDefinition): KnownChannels {
  const { name } = definition;
  return {
    ...others,
    kinds: { ...kinds, [name]: loadedKind(definition) },
    schemas: { ...schemas, [name]: schemaOf(definition) },
  };
}

function withoutChannel(known: KnownChannels, source: string, fault: string): KnownChannels {
  const why = fault.startsWith(`${source}: `) ? fault.slice(source.length + 2) : fault;
  return { ...known, faults: [...known.faults, fault], missing: new Map([...known.missing, [source, why]]) };
}

/** What a package exports by default. @throws UserError naming it, and what to do */
function load(source: string, folder: string): unknown {
  const file = found(source, folder);
  try {
    const exported = require(file) as { readonly default?: unknown } | undefined;
    return exported?.default ?? exported;
  } catch (error) {
    throw new UserError(
      `${source}: the channel cannot be loaded from ${file}: ${reasonOf(error)}. Install what it needs, or another version of it.`,
    );
  }
}

function found(source: string, folder: string): string {
  const isPath = /^[./]/.test(source);
  try {
    return isPath
      ? require.resolve(resolve(folder, source))
      : require.resolve(source, { paths: [folder, packageRoot()] });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (isPath) throw new UserError(`${source}: there is no such file below ${folder}. Correct the path.`);
    const isMissing = code === 'MODULE_NOT_FOUND';
    throw new UserError(
      isMissing
        ? `${source}: this package is not installed here. Run \`npm install ${source}\` in ${folder}, or where Downspout is installed.`
        : `${source}: the package exports nothing to \`require\`: ${reasonOf(error)}. Its exports need "default".`,
    );
  }
}
