import type { Command } from 'commander';
import { migrate, migrationScript } from '../../../connectors/mysql/schema/migrate';
import { createUsers } from '../../../connectors/mysql/schema/users';
import { required } from '../../../topology/settings/environment';
import { counted } from '../../console/units';
import { userUrls } from '../../provisioning/users';
import { audited } from '../audited';
import { type ChangeOptions, changingVerb, contextOf } from '../verb';

interface MigrateOptions extends ChangeOptions {
  readonly users?: boolean;
}

/** Each row of the journal follows what it is about. */
const HEAD =
  '-- Stop at the first statement that fails, as mysql does without --force where it reads a file: the row after it would say that it was done.';

/** `downspout migrate`. */
export function migrateCommand(): Command {
  return changingVerb('migrate', 'bring the schema of ADMIN_DATABASE_URL up to date', {
    example: 'downspout migrate --dry-run',
  })
    .option(
      '--users',
      'make the users of DATABASE_URL, WORKER_DATABASE_URL, OPERATOR_DATABASE_URL and CDC_DATABASE_URL too, with their rights',
    )
    .addHelpText(
      'after',
      '\n--dry-run prints a script for the `mysql` of who changes schemas by hand: one statement after another, each with its row in the\n' +
        'journal of migrations, by which everybody knows what was done. It has to stop at the first statement that fails, for example because\n' +
        'somebody holds a table for more than two seconds; `mysql < file` does. A script that was broken off is printed again: the rest is left.',
    )
    .action(async (options: MigrateOptions) => {
      const context = contextOf(options);
      const { output, settings } = context;
      const { environment } = settings;
      const url = required(environment, 'ADMIN_DATABASE_URL');
      if (context.dryRun) {
        const statements = await migrationScript(url);
        if (options.users === true) output.note('`downspout grants` prints the users and their rights.');
        output.data({ dryRun: true, statements }, () =>
          statements.length === 0 ? '-- nothing to do' : [HEAD, ...statements.map((sql) => `${sql};`)].join('\n\n'),
        );
        return;
      }
      const statements = await audited(
        context,
        { verb: 'migrate', subject: options.users === true ? 'schema and users' : 'schema' },
        async (change) => {
          const ran = await migrate(url, {
            report: (sql) => output.note(output.colors.dim(firstLine(sql))),
            onBusy: (text) => output.note(text),
          });
          if (options.users === true) await createUsers(url, userUrls(environment));
          change.after = { statements: ran.map(firstLine) };
          return ran;
        },
        { as: 'ADMIN_DATABASE_URL', makesTable: true },
      );
      output.data({ dryRun: false, statements }, () =>
        statements.length === 0 ? 'The schema is up to date.' : `Done: ${counted(statements.length, 'statement')}.`,
      );
    });
}

function firstLine(sql: string): string {
  return sql.split('\n', 1)[0]?.slice(0, 100) ?? '';
}
