import type { Target } from '../../../../connectors/mysql/client/client';
import { type AuditedOptions, audited } from '../../audited';
import type { VerbContext } from '../../verb';
import { nameOf } from './targets';

/** Answers of the client that mean that it changed something, and recorded that with the change. */
const CHANGED: ReadonlySet<string> = new Set([
  'canceled',
  'edited',
  'redriven',
  'resolved',
  'replaced',
  'resumed',
  'in_doubt',
]);

/** A verb about messages that are named. What the client changes it records itself; here a row is left when it changed nothing. */
export function auditedMessages<T extends { readonly result: string }>(
  context: VerbContext,
  verb: string,
  targets: readonly Target[],
  work: () => Promise<T[]>,
  options?: AuditedOptions,
): Promise<T[]> {
  const [only] = targets;
  const subject =
    only !== undefined && targets.length === 1 ? nameOf(only).toLowerCase() : `${targets.length} messages`;
  return audited(
    context,
    { verb, subject },
    async (change) => {
      const answers = await work();
      const doubtIsRefused = verb === 'messages edit';
      change.recorded = answers.some(({ result }) => CHANGED.has(result) && !(doubtIsRefused && result === 'in_doubt'));
      change.outcome = `nothing changed: ${[...new Set(answers.map(({ result }) => result))].join(', ')}`;
      return answers;
    },
    options,
  );
}
