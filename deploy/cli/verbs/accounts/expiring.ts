import type { Command } from 'commander';
import type { LifetimeEntry } from '../../../../connectors/mysql/secrets/lifetimes';
import { systemClock } from '../../../../topology/core/clock';
import { parseDuration } from '../../../console/durations';
import type { Column, OutputOptions } from '../../../console/output';
import { formatDuration, formatInstant, formatRelative } from '../../../console/units';
import { contextOf, dataVerb } from '../../verb';
import { withLifetimes } from './common';

interface ExpiringOptions extends OutputOptions {
  readonly within: number;
}

const WEEK_MS = 7 * 86_400_000;

/** `downspout accounts expiring` */
export function expiringCommand(): Command {
  return dataVerb('expiring', 'accounts whose credentials end soon, and whether they are refreshed before', {
    example: 'downspout accounts expiring --within 7d',
  })
    .option('--within <duration>', 'how soon: 7d unless given', parseDuration, WEEK_MS)
    .action(async (options: ExpiringOptions) => {
      const context = contextOf(options);
      const entries = await withLifetimes(context, (lifetimes) => lifetimes.list(options.within));
      const columns: readonly Column<LifetimeEntry>[] = [
        { title: 'account', value: ({ account }) => account },
        { title: 'channel', value: ({ channel }) => channel },
        { title: 'ends', value: endOf },
        { title: 'state', value: ({ state }) => state },
        { title: 'refreshed', value: refreshOf },
      ];
      context.output.data(entries, () =>
        entries.length === 0
          ? `No credentials end within ${formatDuration(options.within)}, as far as they say when they end.`
          : context.output.table(columns, entries),
      );
    });
}

/** When credentials end, by this machine's clock. */
export function endOf({ expiresAt }: Pick<LifetimeEntry, 'expiresAt'>): string {
  if (expiresAt === null) return 'not known';
  return `${formatInstant(expiresAt)} (${formatRelative(expiresAt, systemClock.now())})`;
}

/** What becomes of them before. */
export function refreshOf({ refreshAt, failures, error, isRefused, state }: LifetimeEntry): string {
  if (isRefused) return `no: ${error ?? 'refused'}`;
  if (refreshAt === null) return 'no: connect the account again';
  if (state === 'disabled' || state === 'unusable') return `not while the account is ${state}`;
  const next = formatRelative(refreshAt, systemClock.now());
  return failures === 0 ? next : `${next}, after ${failures} in vain: ${error ?? 'nobody says why'}`;
}
