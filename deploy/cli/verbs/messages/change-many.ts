import type { Selection } from '../../../../connectors/mysql/operators/bulk';
import type { BulkCounts } from '../../../../connectors/mysql/operators/small-transactions';
import { ask, canAsk } from '../../../console/confirm';
import { Progress } from '../../../console/progress';
import { formatCount } from '../../../console/units';
import { type AuditedOptions, audited } from '../../audited';
import { Interrupted, interruptible } from '../../interrupt';
import type { VerbContext } from '../../verb';
import { bulkText, selectionText } from './filter-options';

/** A change of all the messages that a filter selects. */
export interface ManyChange extends Pick<AuditedOptions, 'as'> {
  readonly verb: string;
  /** As it is recorded. */
  readonly filter: object;
  /** In texts: what it does, `sends them again`, and what became of the messages. */
  readonly would: string;
  readonly did: string;
  readonly select: (report: (count: number) => void) => Promise<Selection>;
  /** What `report` throws stops it; every count that was reported is done. */
  readonly change: (report: (counts: BulkCounts) => void) => Promise<BulkCounts>;
}

/**
 * Shows what is selected, and asks; or changes it at once with `yes`. Without a terminal to ask on and without `yes` nothing
 * is changed, and the exit code is 1. A signal ends the change between two transactions, and what was done is said.
 * @throws Interrupted
 */
export async function changeMany(context: VerbContext, yes: boolean, many: ManyChange): Promise<void> {
  if ((yes && !context.dryRun) || (await selected(context, many))) await change(context, many);
}

/** @returns whether a person at the terminal wants it */
async function selected({ output, dryRun }: VerbContext, many: ManyChange): Promise<boolean> {
  const progress = new Progress(output.err);
  const selection = await many.select((count) => progress.show(`${formatCount(count)} found`));
  progress.end();
  if (!dryRun && !output.json && selection.count > 0 && canAsk()) {
    output.note(selectionText(selection, output));
    return ask(`Go on? This ${many.would}.`);
  }
  if (!dryRun) process.exitCode = 1;
  const advice = selection.count === 0 ? '' : `\nNothing was changed. --yes ${many.would}.`;
  output.data({ done: 0, ...selection }, () => `${selectionText(selection, output)}${advice}`);
  return false;
}

async function change(context: VerbContext, many: ManyChange): Promise<void> {
  const { output } = context;
  const progress = new Progress(output.err);
  const record = { verb: many.verb, subject: 'messages that a filter selects', before: many.filter };
  let counts: BulkCounts = { done: 0, skipped: 0 };
  const say = () => {
    progress.end();
    output.data(counts, () => bulkText(counts, many.did));
  };
  try {
    await interruptible(output, ({ check }) =>
      audited(
        context,
        record,
        async (entry) => {
          counts = await many.change((soFar) => {
            counts = { ...soFar };
            entry.after = counts;
            progress.show(`${formatCount(soFar.done)} ${many.did}`);
            check();
          });
          entry.after = counts;
        },
        many.as === undefined ? {} : { as: many.as },
      ),
    );
  } catch (error) {
    if (error instanceof Interrupted) say();
    throw error;
  }
  say();
}
