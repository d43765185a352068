import type { Lifetime } from '../../../bolts/account-refreshes';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { checkAccount, checkText } from '../client/input';
import { hex, list, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import { advanceSet, type ResumePolicy } from './account-states';
import { writeLifetime } from './lifetimes';
import { SEPARATOR, type SecretKey, type SecretOwner } from './secret-key';

export interface AccountEntry extends SecretOwner {
  /** When the secrets were written, epoch milliseconds. */
  readonly updatedAt: number;
  /** How many are valid: two while one replaces another. Null when they cannot be opened. */
  readonly secrets: number | null;
}

/** What became of the rows of accounts when the key was replaced. */
export interface Rekeyed {
  readonly rekeyed: number;
  /** They were sealed with the current key already. */
  readonly current: number;
  /** They open with neither key. */
  readonly unreadable: readonly SecretOwner[];
}

/** The secrets of accounts that have some, the newest first; an error for those whose secrets cannot be opened. */
export type SecretsByAccount = ReadonlyMap<string, readonly string[] | Unavailable>;

/** What workers ask of an account. */
interface FoundAccount {
  /** The newest first; an error when they cannot be opened, undefined when there are none. */
  readonly secrets: readonly string[] | Unavailable | undefined;
  /** Which of its credentials these are. */
  readonly generation: number;
  /** Why it may not be used, if so. */
  readonly blocked: string | undefined;
}

/** Two of them fit the column, with what encryption adds. */
const MAX_SECRET_BYTES = 4_096;
const MAX_SECRETS = 2;
const MAX_REKEYED_AT_ONCE = 500;

/**
 * Secrets of accounts, encrypted in the database with a key that is not in it.
 *
 * 1. *A secret that cannot be opened is an answer for its account only.*
 * 2. *Two secrets of an account are valid at most*: a new one goes before the one that it replaces.
 */
export class SecretStore {
  constructor(
    private readonly pool: Pool,
    private readonly key: SecretKey | null,
  ) {}

  /**
   * Makes a secret the newest of the account. The one before it stays valid unless `replace` is given. The account may be used from
   * then on, unless a person has disabled it; `resume` says what becomes of its suspended messages. Without it those go out that
   * waited for credentials, and those that a person has kept back stay. `lifetime`: when they end, where they say so.
   * @returns how many are valid now
   * @throws UserError for a bad name, a secret that is empty or too long, or without a key
   */
  async set(
    account: string,
    channel: string,
    secret: string,
    {
      replace = false,
      resume,
      lifetime,
    }: { readonly replace?: boolean; readonly resume?: ResumePolicy; readonly lifetime?: Lifetime } = {},
  ): Promise<number> {
    const owner = { account: checkAccount(account), channel: checkText('channel', channel, 32) };
    const length = Buffer.byteLength(secret);
    if (length === 0 || length > MAX_SECRET_BYTES) {
      throw new UserError(`secret: expected 1 to ${MAX_SECRET_BYTES} bytes, got ${length}`);
    }
    if (secret.includes(SEPARATOR)) throw new UserError('secret: a byte of it is zero, which no secret has');
    const key = this.sealingKey();
    return this.pool.transaction(async (sql) => {
      const before = replace ? [] : await this.lock(sql, owner);
      const secrets = [secret, ...(before ?? []).filter((one) => one !== secret)].slice(0, MAX_SECRETS);
      await sql.run(
        `INSERT INTO accounts (account, channel, secret) VALUES (${text(account)}, ${text(channel)}, ${sealed(key, owner, secrets)}) AS new ` +
          'ON DUPLICATE KEY UPDATE secret=new.secret',
      );
      await advanceSet(sql, owner, resume);
      // A refresh that is under way finds other credentials, and is dropped.
      await writeLifetime(sql, owner, lifetime);
      return secrets.length;
    });
  }

  /**
   * Forgets all secrets of an account but the newest.
   * @returns how many were forgotten
   * @throws UserError when the account has none, or they cannot be opened
   */
  async retire(account: string, channel: string): Promise<number> {
    const owner = { account: checkAccount(account), channel: checkText('channel', channel, 32) };
    const key = this.sealingKey();
    return this.pool.transaction(async (sql) => {
      const secrets = await this.lock(sql, owner);
      const newest = secrets?.[0];
      if (newest === undefined) {
        const why = secrets === null ? 'has a secret that cannot be opened with this key' : 'has no secret';
        throw new UserError(`Account ${JSON.stringify(account)} ${why} for ${channel}.`);
      }
      const retired = (secrets ?? []).length - 1;
      if (retired > 0) {
        await sql.run(`UPDATE accounts SET secret=${sealed(key, owner, [newest])} WHERE ${isOwned(owner)}`);
      }
      return retired;
    });
  }

  /** Who has secrets; never a secret. */
  async list(): Promise<AccountEntry[]> {
    const rows = await this.pool.rows<[string, string, string, Buffer]>(
      'SELECT account, channel, UNIX_TIMESTAMP(updated_at), secret FROM accounts ORDER BY channel, account',
    );
    return rows.map(([account, channel, seconds, stored]) => ({
      account,
      channel,
      updatedAt: Math.floor(Number(seconds) * 1000),
      secrets: this.key?.open({ account, channel }, stored)?.length ?? null,
    }));
  }

  /** @returns false when there was none */
  remove(account: string, channel: string): Promise<boolean> {
    return this.pool.transaction(async (sql) => {
      const { affectedRows } = await sql.run(`DELETE FROM accounts WHERE ${isOwned({ account, channel })}`);
      await writeLifetime(sql, { account, channel }, undefined);
      return affectedRows === 1;
    });
  }

  /** @throws Unavailable when the database does not answer */
  async secretsOf(channel: string, accounts: readonly string[]): Promise<SecretsByAccount> {
    const stored = await this.accountsOf(channel, accounts);
    return new Map(
      [...stored].flatMap(([account, { secrets }]) => (secrets === undefined ? [] : [[account, secrets]])),
    );
  }

  /**
   * Accounts that have secrets, or of which something was ever said. One statement, so that secrets and their generation belong
   * together.
   * @throws Unavailable when the database does not answer
   */
  async accountsOf(channel: string, accounts: readonly string[]): Promise<ReadonlyMap<string, FoundAccount>> {
    if (accounts.length === 0) return new Map();
    const these = `WHERE channel=${text(channel)} AND account IN ${list(accounts, text)}`;
    const rows = await this.pool.rows<[string, Buffer | null, number | null, string | null]>(
      `SELECT account, secret, NULL, NULL FROM accounts ${these} UNION ALL ` +
        "SELECT account, NULL, generation, IF(state IN ('unusable','disabled'), COALESCE(reason, state), NULL) " +
        `FROM account_states ${these}`,
    );
    const found = new Map<string, FoundAccount>();
    for (const [account, stored, generation, blocked] of rows) {
      const known = found.get(account) ?? { secrets: undefined, generation: 0, blocked: undefined };
      if (stored === null) found.set(account, { ...known, generation: generation ?? 0, blocked: blocked ?? undefined });
      else {
        const secrets = this.key?.open({ account, channel }, stored) ?? this.unreadable({ account, channel });
        found.set(account, { ...known, secrets });
      }
    }
    return found;
  }

  /**
   * Seals everything that the previous key sealed with the current one. It can run while workers do, and again.
   * @throws UserError without a key
   */
  async rekey(): Promise<Rekeyed> {
    const key = this.sealingKey();
    const unreadable: SecretOwner[] = [];
    let [rekeyed, current] = [0, 0];
    let after: SecretOwner | undefined;
    for (;;) {
      const rows = await this.page(after);
      for (const [account, channel, stored] of rows) {
        const owner = { account, channel };
        const secrets = key.open(owner, stored);
        if (key.isCurrent(stored) && secrets !== null) current += 1;
        else if (secrets === null) unreadable.push(owner);
        else {
          // A secret that somebody sets meanwhile is sealed with the current key, and stays.
          await this.pool.run(
            `UPDATE accounts SET secret=${sealed(key, owner, secrets)} ` +
              `WHERE ${isOwned(owner)} AND secret=${hex(stored.toString('hex'))}`,
          );
          rekeyed += 1;
        }
        after = owner;
      }
      if (rows.length < MAX_REKEYED_AT_ONCE) return { rekeyed, current, unreadable };
    }
  }

  private page(after: SecretOwner | undefined): Promise<[string, string, Buffer][]> {
    const condition =
      after === undefined ? '' : `WHERE (account, channel) > (${text(after.account)}, ${text(after.channel)}) `;
    return this.pool.rows(
      `SELECT account, channel, secret FROM accounts ${condition}ORDER BY account, channel LIMIT ${MAX_REKEYED_AT_ONCE}`,
    );
  }

  /** The secrets of an account, until the end of the transaction. @returns null when they cannot be opened */
  private async lock(sql: Sql, owner: SecretOwner): Promise<readonly string[] | null> {
    const [row] = await sql.rows<[Buffer]>(`SELECT secret FROM accounts WHERE ${isOwned(owner)} FOR UPDATE`);
    return row === undefined ? [] : (this.key?.open(owner, row[0]) ?? null);
  }

  private sealingKey(): SecretKey {
    if (this.key !== null) return this.key;
    throw new UserError('Secrets are encrypted: set DOWNSPOUT_SECRET_KEY or DOWNSPOUT_SECRET_KEY_FILE first.');
  }

  /** The account has asked for signatures, so nothing may be sent without one. */
  private unreadable({ account, channel }: SecretOwner): Unavailable {
    const why =
      this.key === null
        ? 'DOWNSPOUT_SECRET_KEY is not set'
        : 'neither DOWNSPOUT_SECRET_KEY nor DOWNSPOUT_SECRET_KEY_PREVIOUS is the key it was set with';
    return new Unavailable(`the ${channel} secret of account ${JSON.stringify(account)} cannot be read: ${why}`);
  }
}

function sealed(key: SecretKey, owner: SecretOwner, secrets: readonly string[]): string {
  return hex(key.seal(owner, secrets).toString('hex'));
}

function isOwned({ account, channel }: SecretOwner): string {
  return `account=${text(account)} AND channel=${text(channel)}`;
}
