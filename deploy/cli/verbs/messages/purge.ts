import type { Command } from 'commander';
import { purgeAudit } from '../../../../connectors/mysql/audit/audit';
import { confirm } from '../../../console/confirm';
import { parseDuration } from '../../../console/durations';
import { Progress } from '../../../console/progress';
import { counted, formatDuration } from '../../../console/units';
import { audited } from '../../audited';
import { withOperations, withWorkersPool } from '../../database';
import { Interrupted, interruptible } from '../../interrupt';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../../verb';

interface PurgeOptions extends ChangeOptions {
  readonly olderThan: number;
  readonly yes?: boolean;
}

/** The audit reaches back so far at least, and as far as the messages do. */
const AUDIT_KEPT_MS = 90 * 86_400_000;

/** `downspout messages purge`. */
export function purgeCommand(): Command {
  return changingVerb('purge', 'delete messages that ended long ago, with their attempts', {
    example: 'downspout messages purge --older-than 30d --yes',
    fails: '--yes was not given where nobody can be asked',
  })
    .requiredOption('--older-than <duration>', 'ended longer ago than this, for example 30d', parseDuration)
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      '\nAudit rows go too when they are older than that and than 90 days; this needs OPERATOR_DATABASE_URL or WORKER_DATABASE_URL, because\n' +
        'an application may not erase what it did. A signal ends it between two steps; run it again to continue.',
    )
    .action(async (options: PurgeOptions) => {
      const context = contextOf(options);
      const age = formatDuration(options.olderThan);
      await confirm(
        `Delete messages that ended more than ${age} ago for good?`,
        options.yes === true || context.dryRun,
      );
      await purge(context, options.olderThan, age);
    });
}

async function purge(context: VerbContext, olderThanMs: number, age: string): Promise<void> {
  const { output, dryRun } = context;
  const { OPERATOR_DATABASE_URL, WORKER_DATABASE_URL } = context.settings.environment;
  const progress = new Progress(output.err);
  const counts = { deleted: 0, auditRows: 0 };
  const say = () => {
    progress.end();
    output.data(counts, () =>
      dryRun
        ? `${counted(counts.deleted, 'message')} would be deleted.`
        : `${counted(counts.deleted, 'message is', 'messages are')} deleted.`,
    );
  };
  try {
    await interruptible(output, ({ check }) =>
      audited(context, { verb: 'messages purge', subject: `ended more than ${age} ago`, after: counts }, async () => {
        const report = (deleted: number) => {
          counts.deleted = deleted;
          progress.show(`${counted(deleted, 'message')} ${dryRun ? 'found' : 'deleted'}`);
          check();
        };
        await withOperations(context, (operations) => operations.purge(olderThanMs, { report, dryRun }));
        if (dryRun || (OPERATOR_DATABASE_URL ?? WORKER_DATABASE_URL) === undefined) return;
        await withWorkersPool(context, (pool) =>
          purgeAudit(pool, Math.max(olderThanMs, AUDIT_KEPT_MS), (deleted) => {
            counts.auditRows = deleted;
            check();
          }),
        );
      }),
    );
  } catch (error) {
    if (error instanceof Interrupted) say();
    throw error;
  }
  say();
}
