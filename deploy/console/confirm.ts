import { createInterface } from 'node:readline/promises';
import { UserError } from '../../topology/core/errors';

/**
 * Asks on a terminal whether to go on. Elsewhere nobody can answer, so `--yes` has to be given.
 * @throws UserError when the answer is not yes
 */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UserError(`${question} Nothing was changed: give --yes, because there is no terminal to ask at.`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new UserError('Nothing was changed.');
  } finally {
    terminal.close();
  }
}
