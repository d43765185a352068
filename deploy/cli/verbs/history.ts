import type { Command } from 'commander';
import { describeHolder, readDeployLock } from '../../../connectors/mysql/operators/deploy-lock';
import { listReleases, type Release } from '../../../connectors/mysql/operators/releases';
import { parseCount } from '../../console/durations';
import type { Column, OutputOptions } from '../../console/output';
import { formatInstant } from '../../console/units';
import { withPool } from '../database';
import { contextOf, dataVerb } from '../verb';

interface HistoryOptions extends OutputOptions {
  readonly limit: number;
}

const columns: readonly Column<Release>[] = [
  { title: 'release', align: 'right', value: (row) => String(row.number) },
  { title: 'outcome', value: (row) => row.outcome },
  { title: 'why', value: (row) => row.reason },
  { title: 'who', value: (row) => `${row.who} on ${row.host}` },
  { title: 'when', value: (row) => formatInstant(row.createdAt) },
  { title: 'target', value: (row) => row.target },
  { title: 'downspout', value: (row) => row.image ?? row.packageVersion },
  { title: 'detail', value: (row) => row.detail ?? '' },
];

/** Not shown where every release is of topology.yaml alone. */
const environment: Column<Release> = { title: 'environment', value: (row) => row.environment ?? '' };

/** `downspout history`. */
export function historyCommand(): Command {
  return dataVerb('history', 'the releases that were deployed, and who deploys now', {
    example: 'downspout history --limit 5',
  })
    .option('--limit <n>', 'newest releases', parseCount, 20)
    .action(async (options: HistoryOptions) => {
      const context = contextOf(options);
      const { deploying, releases } = await withPool(context, async (pool) => ({
        deploying: await readDeployLock(pool),
        releases: await listReleases(pool, options.limit),
      }));
      context.output.data({ deploying, releases }, () => {
        const list =
          releases.length === 0
            ? 'Nothing was deployed yet. `downspout deploy` deploys what topology.yaml says.'
            : context.output.table(releases.some(isOfOne) ? [...columns, environment] : columns, releases);
        return deploying === null ? list : `${list}\n\n${describeHolder(deploying)}.`;
      });
    });
}

function isOfOne({ environment: name }: Release): boolean {
  return name !== null && name !== '';
}
