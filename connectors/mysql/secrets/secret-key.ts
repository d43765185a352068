import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { reasonOf, UserError } from '../../../topology/core/errors';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** The first byte of what is stored, so that the algorithm can change one day. */
const FORMAT = 1;

/** Whose secret it is. A secret opens under this name only, so that swapped rows are noticed. */
export interface SecretOwner {
  readonly account: string;
  readonly channel: string;
}

/** The key of the accounts' secrets: AES-256-GCM with a random nonce for each secret; the owner is authenticated with it. */
export class SecretKey {
  readonly #key: Buffer;

  private constructor(key: Buffer) {
    this.#key = key;
  }

  /**
   * The key of the environment, or of the file that it names; null when neither is set.
   * @throws UserError saying what to do, never what the key is
   */
  static from(environment: {
    readonly DOWNSPOUT_SECRET_KEY?: string | undefined;
    readonly DOWNSPOUT_SECRET_KEY_FILE?: string | undefined;
  }): SecretKey | null {
    const { DOWNSPOUT_SECRET_KEY: text, DOWNSPOUT_SECRET_KEY_FILE: file } = environment;
    if (text !== undefined) return SecretKey.parse(text, 'DOWNSPOUT_SECRET_KEY');
    if (file === undefined) return null;
    try {
      return SecretKey.parse(readFileSync(file, 'utf8').trim(), `DOWNSPOUT_SECRET_KEY_FILE (${file})`);
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(`DOWNSPOUT_SECRET_KEY_FILE: ${reasonOf(error)}`);
    }
  }

  private static parse(text: string, source: string): SecretKey {
    const key = Buffer.from(text, 'base64');
    if (key.length !== KEY_BYTES || key.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) {
      throw new UserError(
        `${source}: expected ${KEY_BYTES} bytes in base64, as \`openssl rand -base64 32\` prints them.`,
      );
    }
    return new SecretKey(key);
  }

  seal(owner: SecretOwner, secret: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(nameOf(owner));
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.of(FORMAT), nonce, cipher.getAuthTag(), sealed]);
  }

  /** @returns null when it was sealed with another key or for another owner, or was changed */
  open(owner: SecretOwner, stored: Buffer): string | null {
    if (stored[0] !== FORMAT || stored.length < 1 + NONCE_BYTES + TAG_BYTES) return null;
    const nonce = stored.subarray(1, 1 + NONCE_BYTES);
    const tag = stored.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES);
    const sealed = stored.subarray(1 + NONCE_BYTES + TAG_BYTES);
    try {
      const decipher = createDecipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(nameOf(owner)).setAuthTag(tag);
      return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8');
    } catch {
      return null;
    }
  }
}

function nameOf({ account, channel }: SecretOwner): Buffer {
  return Buffer.from(JSON.stringify([account, channel]));
}
