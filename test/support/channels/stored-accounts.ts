import type { StoredAccount } from '../../../connectors/channels/account-secrets';
import type { Unavailable } from '../../../topology/core/errors';

/** An account that may be used, with these secrets. */
export function storedAs(secrets: readonly string[] | Unavailable, generation = 0): StoredAccount {
  return { secrets, generation, blocked: undefined };
}

/** Accounts of one channel, as the database would have them. */
export class StoredAccounts {
  private readonly accounts = new Map<string, StoredAccount>();

  /** As `downspout accounts set`. */
  set(account: string, credentials: object): void {
    const { generation = 0 } = this.accounts.get(account) ?? {};
    this.accounts.set(account, storedAs([JSON.stringify(credentials)], generation + 1));
  }

  /** As a worker writes whose request was refused. */
  block(account: string, reason: string): void {
    const known = this.accounts.get(account);
    if (known !== undefined) this.accounts.set(account, { ...known, blocked: reason });
  }

  readonly of = async (_channel: string, names: readonly string[]): Promise<Map<string, StoredAccount>> =>
    new Map(
      names.flatMap((name) => {
        const stored = this.accounts.get(name);
        return stored === undefined ? [] : [[name, stored] as const];
      }),
    );
}
