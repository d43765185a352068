import { appendFileSync, closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** In every secret that tests of the stack give to accounts. Of letters and digits: JSON, URLs and headers have it as it is. */
const MARK = 'PlantedSecret7Q';
/** Kafka's indexes, which have numbers and holes of megabytes. */
const NO_TEXT = /\.(?:index|timeindex)$/;
const READ_BYTES = 8 * 1024 ** 2;
const SHOWN_CHARACTERS = 80;

/** A secret of an account, by which it is known again wherever it comes out. */
export function plantedSecret(channel: string, account: string): string {
  return `${MARK}-${channel}-${account}`;
}

/** What the mark looks like in texts, in base64 at each of the three places where it may begin, and in hexadecimal digits. */
const FORMS: readonly Buffer[] = [
  MARK,
  ...[0, 1, 2].map(base64After),
  Buffer.from(MARK).toString('hex'),
  Buffer.from(MARK).toString('hex').toUpperCase(),
].map((form) => Buffer.from(form));

const OVERLAP_BYTES = Math.max(...FORMS.map(({ length }) => length)) - 1;

/** The digits that depend on the mark alone, when so many bytes stand before it in a group of three. */
function base64After(bytes: number): string {
  const text = Buffer.concat([Buffer.alloc(bytes), Buffer.from(MARK)]).toString('base64');
  return text.slice(Math.ceil((bytes * 8) / 6), Math.floor(((bytes + MARK.length) * 8) / 6));
}

/** Where there is a planted secret in the files of a folder, and of those below it. A stack's folder has its logs, topics and tables. */
export function plantedIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !NO_TEXT.test(entry.name))
    .map(({ parentPath, name }) => join(parentPath, name));
  return files.flatMap((file) => plantedInFile(file));
}

/** Only the first place in a file: what is there tells where it comes from. */
function plantedInFile(path: string): string[] {
  const buffer = Buffer.alloc(READ_BYTES);
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    // Logs and segments of topics come and go while a stack runs.
    return [];
  }
  try {
    for (let at = 0, kept = 0; ; ) {
      const read = readSync(file, buffer, kept, READ_BYTES - kept, at);
      const found = read === 0 ? undefined : firstIn(buffer.subarray(0, kept + read));
      if (found !== undefined) return [`${path}: ${found}`];
      if (read === 0) return [];
      at += read;
      const end = kept + read;
      kept = Math.min(OVERLAP_BYTES, end);
      buffer.copy(buffer, 0, end - kept, end);
    }
  } finally {
    closeSync(file);
  }
}

function firstIn(bytes: Buffer): string | undefined {
  const at = FORMS.map((form) => bytes.indexOf(form)).find((index) => index !== -1);
  if (at === undefined) return undefined;
  return bytes
    .toString('latin1', Math.max(0, at - SHOWN_CHARACTERS), at + SHOWN_CHARACTERS)
    .replace(/[^\x20-\x7e]+/g, ' ');
}

/** Keeps what came out of a stack beside its logs, for `plantedIn` to look at. */
export function keepOutput(folder: string, what: string, text: string): void {
  const logs = join(folder, 'logs');
  if (existsSync(logs)) appendFileSync(join(logs, 'outputs.log'), `${what}\n${text}\n`);
}
