import type { Command } from 'commander';
import { migrate } from '../../../connectors/mysql/schema/migrate';
import { createUsers } from '../../../connectors/mysql/schema/users';
import { required } from '../../../topology/settings/environment';
import type { OutputOptions } from '../../console/output';
import { userUrls } from '../../provisioning/users';
import { contextOf, dataVerb } from '../verb';

interface MigrateOptions extends OutputOptions {
  readonly dryRun?: boolean;
  readonly users?: boolean;
}

/** `downspout migrate`. */
export function migrateCommand(): Command {
  return dataVerb('migrate', 'bring the schema of ADMIN_DATABASE_URL up to date', {
    example: 'downspout migrate --dry-run',
  })
    .option('--dry-run', 'print the SQL and change nothing')
    .option(
      '--users',
      'make the users of DATABASE_URL, WORKER_DATABASE_URL, OPERATOR_DATABASE_URL and CDC_DATABASE_URL too, with their rights',
    )
    .action(async (options: MigrateOptions) => {
      const { output, settings } = contextOf(options);
      const { environment } = settings;
      const url = required(environment, 'ADMIN_DATABASE_URL');
      const dryRun = options.dryRun === true;
      const statements = await migrate(url, {
        dryRun,
        report: dryRun ? () => undefined : (sql) => output.note(output.colors.dim(firstLine(sql))),
        onBusy: (text) => output.note(text),
      });
      if (options.users === true && !dryRun) {
        await createUsers(url, userUrls(environment));
      }
      output.data({ dryRun, statements }, () => {
        if (dryRun)
          return statements.length === 0 ? '-- nothing to do' : statements.map((sql) => `${sql};`).join('\n\n');
        return statements.length === 0 ? 'The schema is up to date.' : `Done: ${statements.length} statements.`;
      });
    });
}

function firstLine(sql: string): string {
  return sql.split('\n', 1)[0]?.slice(0, 100) ?? '';
}
