import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { reasonOf, UserError } from '../../topology/core/errors';
import { decodeText, hasLostBytes } from '../../topology/core/text-encoding';

const MAX_SECRET_BYTES = 4_096;

/**
 * A secret from standard input: typed without echo on a terminal, read to the end otherwise. It never comes from arguments,
 * because other users of the machine can see those and shells remember them.
 * @throws UserError when there is none or it is too long
 */
async function readSecret(prompt: string, input: NodeJS.ReadStream = process.stdin): Promise<string> {
  const secret = input.isTTY ? await ask(prompt, input) : await readAll(input);
  if (secret === '')
    throw new UserError('The secret is empty. Type it, or pipe it in: `printf %s "$SECRET" | downspout …`.');
  return secret;
}

/** A field that is asked for on a terminal. */
interface AskedField {
  readonly name: string;
  readonly prompt: string;
  /** It is typed unseen. */
  readonly isSecret: boolean;
}

/**
 * Fields from standard input: JSON, read to the end; on a terminal they are asked for one by one.
 * @returns JSON of the fields, or whatever was piped in
 * @throws UserError when there is nothing or it is too long
 */
export async function readFields(
  fields: readonly AskedField[],
  whose: string,
  input: NodeJS.ReadStream = process.stdin,
): Promise<string> {
  const [first] = fields;
  if (first !== undefined && fields.length === 1) return readSecret(`${first.prompt} of ${whose} (not shown): `, input);
  if (!input.isTTY) {
    const text = await readAll(input);
    const names = fields.map(({ name }) => `"${name}":"…"`).join(',');
    if (text === '') throw new UserError(`There are no credentials on standard input. Pipe in {${names}}.`);
    return text;
  }
  const answers: Record<string, string> = {};
  for (const { name, prompt, isSecret } of fields) {
    const answer = await ask(`${prompt} of ${whose}${isSecret ? ' (not shown)' : ''}: `, input, !isSecret);
    if (answer !== '') answers[name] = answer;
  }
  return JSON.stringify(answers);
}

/** One line. */
function ask(prompt: string, input: NodeJS.ReadStream, isShown = false): Promise<string> {
  process.stderr.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: isShown ? process.stderr : nowhere, terminal: true });
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
      else if (hasLostBytes(answer)) reject(new UserError('What was typed is not UTF-8: set the terminal to UTF-8.'));
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
  try {
    return decodeText(Buffer.concat(chunks)).trim();
  } catch (error) {
    throw new UserError(`standard input: ${reasonOf(error)}`);
  }
}
