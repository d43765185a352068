import type { Command } from 'commander';
import { type AuditFilter, type AuditRow, readAudit } from '../../../connectors/mysql/audit/audit';
import { showJson } from '../../../topology/core/json-text';
import { parseCount, parseDuration } from '../../console/durations';
import type { Column, OutputOptions } from '../../console/output';
import { formatInstant } from '../../console/units';
import { withPool } from '../database';
import { contextOf, dataVerb } from '../verb';

interface AuditOptions extends OutputOptions {
  readonly since?: number;
  readonly verb?: string;
  readonly who?: string;
  readonly message?: number;
  readonly limit: number;
}

const MAX_VALUE_SHOWN = 60;

const columns: readonly Column<AuditRow>[] = [
  { title: 'when', value: ({ at }) => formatInstant(at) },
  { title: 'who', value: ({ who, host }) => `${who}@${host}` },
  { title: 'verb', value: ({ verb }) => verb },
  { title: 'what', value: ({ subject }) => subject },
  { title: 'before', value: ({ before }) => shown(before) },
  { title: 'after', value: ({ after }) => shown(after) },
  { title: 'outcome', value: ({ outcome }) => outcome },
];

/** `downspout audit`. */
export function auditCommand(): Command {
  return dataVerb('audit', 'who changed what: every change that somebody made, newest first', {
    example: 'downspout audit --since 24h --verb messages',
  })
    .option('--since <duration>', 'not longer ago than this, for example 24h', parseDuration)
    .option('--verb <words>', 'only this verb, for example pause, messages or "messages cancel"')
    .option('--who <name>', 'only of this user')
    .option('--message <id>', 'only what changed this message', parseCount)
    .option('--limit <n>', 'entries at most', parseCount, 50)
    .action(async ({ since, verb, who, message, limit, ...options }: AuditOptions) => {
      const context = contextOf(options);
      const { output } = context;
      const filter: AuditFilter = {
        ...(since === undefined ? {} : { sinceMs: since }),
        ...(verb === undefined ? {} : { verb }),
        ...(who === undefined ? {} : { who }),
        ...(message === undefined ? {} : { message }),
      };
      const rows = await withPool(context, (pool) => readAudit(pool, filter, limit));
      output.data(rows, () => {
        if (rows.length === 0) return 'Nothing was changed, as far as the audit reaches.';
        const more = rows.length === limit ? '\n\nThere may be more: --limit shows as many as you like.' : '';
        return `${output.table(columns, rows)}${more}`;
      });
    });
}

/** A value on one line; `--json` has it whole. */
function shown(value: unknown): string {
  if (value === null) return '–';
  const json = showJson(value, '');
  return json.length > MAX_VALUE_SHOWN ? `${json.slice(0, MAX_VALUE_SHOWN)}…` : json;
}
