import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { UserError } from '../../topology/core/errors';

const MAX_SECRET_BYTES = 4_096;

/**
 * A secret from standard input: typed without echo on a terminal, read to the end otherwise. It never comes from arguments,
 * because other users of the machine can see those and shells remember them.
 * @throws UserError when there is none or it is too long
 */
export async function readSecret(prompt: string, input: NodeJS.ReadStream = process.stdin): Promise<string> {
  const secret = input.isTTY ? await ask(prompt, input) : await readAll(input);
  if (secret === '')
    throw new UserError('The secret is empty. Type it, or pipe it in: `printf %s "$SECRET" | downspout …`.');
  return secret;
}

/** One line, shown nowhere. */
function ask(prompt: string, input: NodeJS.ReadStream): Promise<string> {
  process.stderr.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: true });
  return new Promise((resolve, reject) => {
    let answer: string | undefined;
    lines.once('line', (line) => {
      answer = line.trim();
      lines.close();
    });
    lines.once('SIGINT', () => lines.close());
    lines.once('close', () => {
      process.stderr.write('\n');
      if (answer === undefined) reject(new UserError('No secret was typed; nothing was changed.'));
      else resolve(answer);
    });
  });
}

async function readAll(input: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_SECRET_BYTES) throw new UserError(`The secret is longer than ${MAX_SECRET_BYTES} bytes.`);
  }
  return Buffer.concat(chunks).toString().trim();
}
