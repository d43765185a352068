import type { StoredAccount } from '../../../connectors/channels/account-secrets';
import type { AccountState, ResumePolicy } from '../../../connectors/mysql/secrets/account-states';
import type { AccountName } from '../../../spouts/suspended-rows';

interface MemoryAccount extends AccountName {
  generation: number;
  state: AccountState;
  reason: string | null;
  secrets: readonly string[] | undefined;
  /** When a person last kept back what was suspended; null when nothing is. */
  keptAt: string | null;
}

/** The rows of `accounts` and `account_states`. */
export class MemoryAccounts {
  /** What accounts have before anybody says anything. */
  initial: readonly string[] | undefined;
  /** Accounts that somebody holds, by `nameOf`. */
  private readonly held = new Set<string>();
  private readonly rows = new Map<string, MemoryAccount>();

  /** @param stamp of a row that is written now */
  constructor(private readonly stamp: () => string = () => '') {}

  /** What is said of the account's state, and of nothing else: credentials, when they are given, and what the account is from then on. */
  say({ account, channel }: AccountName, state: AccountState, secrets?: readonly string[]): void {
    const row = this.rowOf({ account, channel });
    Object.assign(row, { state, generation: row.generation + 1, reason: state === 'disabled' ? 'disabled' : null });
    if (secrets !== undefined) row.secrets = secrets;
  }

  /** As `accounts set` does it. */
  set(name: AccountName, secrets: readonly string[], policy?: ResumePolicy): void {
    const { state } = this.rowOf(name);
    const stays = state === 'disabled' || (state === 'usable' && policy === undefined);
    this.say(name, stays ? state : afterwards(policy), secrets);
    this.decide(name, policy);
  }

  /** As `accounts enable` does it. */
  enable(name: AccountName, policy?: ResumePolicy): void {
    const { state } = this.rowOf(name);
    if (state !== 'unusable' && state !== 'disabled') return;
    this.say(name, afterwards(policy));
    this.decide(name, policy);
  }

  /** Whether a person has kept back anything of the account. */
  isAnyKept(name: AccountName): boolean {
    return this.rowOf(name).keptAt !== null;
  }

  /** Whether a person has kept back what was written last at this time. */
  isKept(name: AccountName, updatedAt: string): boolean {
    const { keptAt } = this.rowOf(name);
    return keptAt !== null && updatedAt <= keptAt;
  }

  /** Another transaction holds the account until `work` ends. */
  async whileHeld<T>(name: AccountName, work: () => Promise<T>): Promise<T> {
    this.held.add(nameOf(name));
    try {
      return await work();
    } finally {
      this.held.delete(nameOf(name));
    }
  }

  isHeld(name: AccountName): boolean {
    return this.held.has(nameOf(name));
  }

  /** Its provider has refused credentials of this generation. @returns false when the account has others by now */
  refused(name: AccountName, generation: number, reason: string): boolean {
    const row = this.rowOf(name);
    if (row.generation !== generation) return false;
    if (row.state === 'usable' || row.state === 'resuming') Object.assign(row, { state: 'unusable', reason });
    return true;
  }

  stateOf(name: AccountName): AccountState {
    return this.rowOf(name).state;
  }

  generationOf(name: AccountName): number {
    return this.rowOf(name).generation;
  }

  /** The newest credentials; undefined when there are none. */
  newest(name: AccountName): string | undefined {
    return this.rowOf(name).secrets?.[0];
  }

  /** Its provider gave these in the place of others: the account goes on, unless a person has disabled it. */
  replace(name: AccountName, secret: string): void {
    const row = this.rowOf(name);
    row.secrets = [secret];
    row.generation += 1;
    if (row.state === 'unusable') Object.assign(row, { state: 'resuming', reason: null });
  }

  /** Unless a person has said something else. */
  markUnusable(name: AccountName, reason: string): void {
    this.refused(name, this.rowOf(name).generation, reason);
  }

  /** What workers read of accounts. */
  stored(channel: string, accounts: readonly string[]): Map<string, StoredAccount> {
    return new Map(
      accounts.map((account) => {
        const { secrets, generation, state, reason } = this.rowOf({ account, channel });
        const isBlocked = state === 'unusable' || state === 'disabled';
        return [account, { secrets, generation, blocked: isBlocked ? (reason ?? state) : undefined }];
      }),
    );
  }

  /** The first account after this one that is being resumed. */
  resumingAfter(after: AccountName | undefined): AccountName | undefined {
    const from = after === undefined ? '' : nameOf(after);
    const [first] = [...this.rows]
      .filter(([name, { state }]) => state === 'resuming' && name > from)
      .toSorted(([one], [other]) => (one < other ? -1 : 1));
    return first?.[1];
  }

  resumed(name: AccountName): void {
    const row = this.rowOf(name);
    if (row.state === 'resuming') row.state = 'usable';
  }

  private decide(name: AccountName, policy: ResumePolicy | undefined): void {
    if (policy !== undefined) this.rowOf(name).keptAt = policy === 'keep' ? this.stamp() : null;
  }

  private rowOf({ account, channel }: AccountName): MemoryAccount {
    const name = nameOf({ account, channel });
    const known = this.rows.get(name);
    if (known !== undefined) return known;
    const row: MemoryAccount = {
      account,
      channel,
      generation: 0,
      state: 'usable',
      reason: null,
      secrets: this.initial,
      keptAt: null,
    };
    this.rows.set(name, row);
    return row;
  }
}

function afterwards(policy: ResumePolicy | undefined): AccountState {
  return policy === 'keep' ? 'usable' : 'resuming';
}

function nameOf({ account, channel }: AccountName): string {
  return `${account}\0${channel}`;
}
