import type { Command } from 'commander';
import { currentRelease, listReleases, type Release, readRelease } from '../../../connectors/mysql/operators/releases';
import type { Pool } from '../../../connectors/mysql/sql/pool';
import { UserError } from '../../../topology/core/errors';
import type { Environment } from '../../../topology/settings/environment';
import { packageVersion } from '../../../topology/settings/package';
import { parseSpecification, type TopologySettings } from '../../../topology/settings/topology-settings';
import { parseCount } from '../../console/durations';
import type { OutputOptions } from '../../console/output';
import { type SpecificationChange, specificationDiff } from '../../release/specification-diff';
import { withPool } from '../database';
import { type TopologyFileOptions, topologyFileOf, withTopologyFile } from '../topology-options';
import { contextOf, dataVerb } from '../verb';

interface DiffOptions extends OutputOptions, TopologyFileOptions {}

export interface Side {
  /** `release 7`, or the files. */
  readonly name: string;
  readonly settings: TopologySettings;
  readonly version: string;
  /** Null on the target local, and of the topology file, which names none. */
  readonly image: string | null;
}

/** `downspout diff`. */
export function diffCommand(): Command {
  const command = dataVerb('diff', 'what differs between two releases, or between a release and the topology file', {
    example: 'downspout diff 3 7',
  });
  return withTopologyFile(command)
    .argument('[release]', 'the one that runs unless given', parseCount)
    .argument('[release]', 'the topology file unless given', parseCount)
    .action(async (from: number | undefined, to: number | undefined, options: DiffOptions) => {
      const context = contextOf(options);
      const { environment } = context.settings;
      const [before, after] = await withPool(context, async (pool) => [
        await releaseSide(pool, from),
        to === undefined ? fileSide(options, environment) : await releaseSide(pool, to),
      ]);
      const changes = changesBetween(before, after);
      context.output.data({ from: before.name, to: after.name, changes }, () => {
        if (changes.length === 0) return `${before.name} and ${after.name} say the same.`;
        return `${before.name} → ${after.name}\n\n${context.output.table(columns, changes)}`;
      });
    });
}

/** What stands for a component where a setting belongs to none. */
const ofAll: ReadonlyMap<string | null, string> = new Map([
  ['version', 'downspout'],
  ['channels', 'packages'],
]);

const columns = [
  {
    title: 'component',
    value: ({ component, field }: SpecificationChange) => component ?? ofAll.get(field) ?? 'topics',
  },
  { title: 'setting', value: ({ field }: SpecificationChange) => field ?? 'all' },
  { title: 'from', value: ({ from }: SpecificationChange) => from ?? '–' },
  { title: 'to', value: ({ to }: SpecificationChange) => to ?? '–' },
];

async function releaseSide(pool: Pool, number: number | undefined): Promise<Side> {
  const release = number === undefined ? await currentRelease(pool) : await readRelease(pool, number);
  if (release === null) {
    const [last] = await listReleases(pool, 1);
    const why = last === undefined ? 'Nothing was deployed yet' : 'No release is live';
    const hint = last === undefined ? '' : `\`downspout diff ${last.number}\` compares with the last one. `;
    throw new UserError(
      `${why}, so there is nothing to compare with. ${hint}\`downspout plan\` says what \`deploy\` would do.`,
    );
  }
  return sideOf(release);
}

function sideOf({ number, specification, image, packageVersion: version }: Release): Side {
  const name = `release ${number}`;
  return { name, settings: parseSpecification(specification, name), version, image };
}

function fileSide(options: DiffOptions, environment: Environment): Side {
  const { settings, files } = topologyFileOf(options, environment);
  return { name: files.join(', '), settings, version: packageVersion(), image: null };
}

/** Of an image and a version nobody knows whether they are the same, so versions are compared unless both have images. @internal for tests */
export function changesBetween(before: Side, after: Side): SpecificationChange[] {
  const haveImages = before.image !== null && after.image !== null;
  const [from, to] = haveImages ? [before.image, after.image] : [before.version, after.version];
  const version = { component: null, field: 'version', from, to };
  return [...(version.from === version.to ? [] : [version]), ...specificationDiff(before.settings, after.settings)];
}
