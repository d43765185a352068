import { Unavailable, UserError } from '../../../topology/core/errors';
import { checkAccount, checkChannel } from '../client/input';
import { hex, list, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { SecretKey, SecretOwner } from './secret-key';

export interface AccountEntry extends SecretOwner {
  /** When the secret was set, epoch milliseconds. */
  readonly updatedAt: number;
}

/** The length of the column, less what encryption adds. */
const MAX_SECRET_BYTES = 900;

/** Secrets of accounts, encrypted in the database with a key that is not in it. */
export class SecretStore {
  constructor(
    private readonly pool: Pool,
    private readonly key: SecretKey | null,
  ) {}

  /** @throws UserError for a bad name, a secret that is empty or too long, or without a key */
  async set(account: string, channel: string, secret: string): Promise<void> {
    const owner = { account: checkAccount(account), channel: checkChannel(channel) };
    const length = Buffer.byteLength(secret);
    if (length === 0 || length > MAX_SECRET_BYTES) {
      throw new UserError(`secret: expected 1 to ${MAX_SECRET_BYTES} bytes, got ${length}`);
    }
    if (this.key === null) {
      throw new UserError('Secrets are encrypted: set DOWNSPOUT_SECRET_KEY or DOWNSPOUT_SECRET_KEY_FILE first.');
    }
    const sealed = this.key.seal(owner, secret).toString('hex');
    await this.pool.run(
      `INSERT INTO accounts (account, channel, secret) VALUES (${text(account)}, ${text(channel)}, ${hex(sealed)}) AS new ` +
        'ON DUPLICATE KEY UPDATE secret=new.secret',
    );
  }

  /** Who has a secret; never the secret. */
  async list(): Promise<AccountEntry[]> {
    const rows = await this.pool.rows<[string, string, string]>(
      'SELECT account, channel, UNIX_TIMESTAMP(updated_at) FROM accounts ORDER BY channel, account',
    );
    return rows.map(([account, channel, seconds]) => ({
      account,
      channel,
      updatedAt: Math.floor(Number(seconds) * 1000),
    }));
  }

  /** @returns false when there was none */
  async remove(account: string, channel: string): Promise<boolean> {
    const { affectedRows } = await this.pool.run(
      `DELETE FROM accounts WHERE account=${text(account)} AND channel=${text(channel)}`,
    );
    return affectedRows === 1;
  }

  /**
   * The secrets of those accounts that have one.
   * @throws Unavailable when the database does not answer, or a secret cannot be opened with this key: its account has
   * asked for signatures, so nothing may be sent without one
   */
  async secretsOf(channel: string, accounts: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const secrets = new Map<string, string>();
    if (accounts.length === 0) return secrets;
    const rows = await this.pool.rows<[string, Buffer]>(
      `SELECT account, secret FROM accounts WHERE channel=${text(channel)} AND account IN ${list(accounts, text)}`,
    );
    for (const [account, sealed] of rows) {
      const secret = this.key?.open({ account, channel }, sealed);
      if (secret === null || secret === undefined) {
        const why =
          this.key === null ? 'DOWNSPOUT_SECRET_KEY is not set' : 'DOWNSPOUT_SECRET_KEY is not the key it was set with';
        throw new Unavailable(`the ${channel} secret of account ${JSON.stringify(account)} cannot be read: ${why}`);
      }
      secrets.set(account, secret);
    }
    return secrets;
  }
}
