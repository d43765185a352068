import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { reasonOf, UserError } from '../../../topology/core/errors';
import { decodeText } from '../../../topology/core/text-encoding';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_BYTES = 4;
/** The first byte of what is stored. Before there were ids of keys, the nonce followed it at once. */
const FORMAT = 2;
const FORMAT_WITHOUT_ID = 1;
/** Between the secrets of an account; no secret has it. */
export const SEPARATOR = '\0';

/** Whose secrets they are. They open under this name only, so that swapped rows are noticed. */
export interface SecretOwner {
  readonly account: string;
  readonly channel: string;
}

interface KeyVariables {
  readonly DOWNSPOUT_SECRET_KEY?: string | undefined;
  readonly DOWNSPOUT_SECRET_KEY_FILE?: string | undefined;
  readonly DOWNSPOUT_SECRET_KEY_PREVIOUS?: string | undefined;
  readonly DOWNSPOUT_SECRET_KEY_PREVIOUS_FILE?: string | undefined;
}

/**
 * The key of the accounts' secrets, and the one before it: AES-256-GCM with a random nonce for each row; the owner is
 * authenticated with it. What is stored names its key, so that a key can be replaced while everything goes on.
 */
export class SecretKey {
  readonly #current: Buffer;
  readonly #previous: Buffer | undefined;

  private constructor(current: Buffer, previous: Buffer | undefined) {
    this.#current = current;
    this.#previous = previous;
  }

  /**
   * The keys of the environment, or of the files that it names; null when there is none.
   * @throws UserError saying what to do, never what the key is
   */
  static from(environment: KeyVariables): SecretKey | null {
    const current = keyOf(environment, 'DOWNSPOUT_SECRET_KEY');
    const previous = keyOf(environment, 'DOWNSPOUT_SECRET_KEY_PREVIOUS');
    if (current !== undefined) return new SecretKey(current, previous);
    if (previous === undefined) return null;
    throw new UserError('DOWNSPOUT_SECRET_KEY_PREVIOUS is set and DOWNSPOUT_SECRET_KEY is not. Set both, or neither.');
  }

  /** Secrets as they are stored, sealed with the current key. */
  seal(owner: SecretOwner, secrets: readonly string[]): Buffer {
    const head = Buffer.concat([Buffer.of(FORMAT), idOf(this.#current)]);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#current, nonce).setAAD(nameOf(owner));
    const sealed = Buffer.concat([cipher.update(secrets.join(SEPARATOR), 'utf8'), cipher.final()]);
    return Buffer.concat([head, nonce, cipher.getAuthTag(), sealed]);
  }

  /** @returns null when they were sealed with another key or for another owner, or were changed */
  open(owner: SecretOwner, stored: Buffer): readonly string[] | null {
    if (stored[0] === FORMAT) {
      const key = this.#named(stored);
      const text = key === undefined ? null : opened(key, owner, stored.subarray(1 + KEY_ID_BYTES));
      return text?.split(SEPARATOR) ?? null;
    }
    if (stored[0] !== FORMAT_WITHOUT_ID) return null;
    const sealed = stored.subarray(1);
    const text =
      opened(this.#current, owner, sealed) ??
      (this.#previous === undefined ? null : opened(this.#previous, owner, sealed));
    return text === null ? null : [text];
  }

  /** Whether it was sealed with the current key, as far as it says so. */
  isCurrent(stored: Buffer): boolean {
    return stored[0] === FORMAT && this.#named(stored) === this.#current;
  }

  #named(stored: Buffer): Buffer | undefined {
    const id = stored.subarray(1, 1 + KEY_ID_BYTES);
    return [this.#current, this.#previous].find((key) => key !== undefined && idOf(key).equals(id));
  }
}

/** Says which key it is and nothing about the key. */
function idOf(key: Buffer): Buffer {
  return createHash('sha256').update('downspout key id').update(key).digest().subarray(0, KEY_ID_BYTES);
}

function keyOf(environment: KeyVariables, name: 'DOWNSPOUT_SECRET_KEY' | 'DOWNSPOUT_SECRET_KEY_PREVIOUS') {
  const text = environment[name];
  const file = environment[`${name}_FILE`];
  if (text !== undefined) return parse(text, name);
  if (file === undefined) return undefined;
  let content: string;
  try {
    content = decodeText(readFileSync(file));
  } catch (error) {
    throw new UserError(`${name}_FILE: ${reasonOf(error)}`);
  }
  return parse(content.trim(), `${name}_FILE (${file})`);
}

function parse(text: string, source: string): Buffer {
  const key = Buffer.from(text, 'base64');
  if (key.length !== KEY_BYTES || key.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) {
    throw new UserError(
      `${source}: expected ${KEY_BYTES} bytes in base64, as \`openssl rand -base64 32\` prints them.`,
    );
  }
  return key;
}

function opened(key: Buffer, owner: SecretOwner, sealed: Buffer): string | null {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return null;
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
  try {
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(nameOf(owner)).setAuthTag(tag);
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString(
      'utf8',
    );
  } catch {
    return null;
  }
}

function nameOf({ account, channel }: SecretOwner): Buffer {
  return Buffer.from(JSON.stringify([account, channel]));
}
