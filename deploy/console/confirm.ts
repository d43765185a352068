import { createInterface } from 'node:readline';
import { UserError } from '../../topology/core/errors';

/** Where a person may be asked: standard input, and what is shown on standard error. */
interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

const own: Terminal = { input: process.stdin, output: process.stderr };

/**
 * Asks on a terminal whether to go on. Elsewhere nobody can answer, so `--yes` has to be given.
 * @throws UserError when the answer is not yes
 */
export async function confirm(question: string, yes: boolean, terminal = own): Promise<void> {
  if (yes) return;
  if (!canAsk(terminal)) {
    throw new UserError(`${question} Nothing was changed: give --yes, because there is no terminal to ask at.`);
  }
  if (!(await ask(question, terminal))) throw new UserError('Nothing was changed.');
}

export function canAsk({ input, output }: Terminal = own): boolean {
  return input.isTTY === true && output.isTTY === true;
}

/** @returns true for `y` and `yes`; no answer is no */
export function ask(question: string, { input, output }: Terminal = own): Promise<boolean> {
  output.write(`${question} [y/N] `);
  const lines = createInterface({ input });
  return new Promise((resolve) => {
    lines.once('line', (line) => {
      resolve(/^y(es)?$/i.test(line.trim()));
      lines.close();
    });
    lines.once('close', () => resolve(false));
  });
}
