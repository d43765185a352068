import { putNewest } from '../../../topology/core/newest';
import type { Outcome } from '../../../topology/message';

/** Beyond it those that were opened longest ago are forgotten. */
const MAX_SESSIONS = 10_000;

/** Why there is none. */
type Unopened = Exclude<Outcome, { kind: 'delivered' }>;

interface Entry {
  readonly opening: Promise<object>;
  opened: object | undefined;
}

/**
 * What accounts' providers gave for their credentials. It is kept in the memory of this worker and nowhere else.
 *
 * 1. *A session is opened, and renewed, once for all who want it meanwhile*: providers limit how often that may be done.
 */
export class ProviderSessions {
  private readonly entries = new Map<string, Entry>();

  /**
   * The session, opened now unless there is one.
   * @param key of the account and its credentials
   * @param open what it opens has no `kind`; what has one is why it could not, and is not kept
   */
  get<S extends object>(key: string, open: () => Promise<S | Unopened>): Promise<S | Unopened> {
    const { opening } = this.entries.get(key) ?? this.begin(key, open);
    return opening as Promise<S | Unopened>;
  }

  /** The session that is open now. */
  known(key: string): object | undefined {
    const opened = this.entries.get(key)?.opened;
    return opened === undefined || 'kind' in opened ? undefined : opened;
  }

  /** The session that takes the place of this one, which the provider does not take any more. */
  renew<S extends object>(key: string, old: S, open: () => Promise<S | Unopened>): Promise<S | Unopened> {
    const known = this.entries.get(key);
    const isNewer = known !== undefined && known.opened !== old;
    return (isNewer ? known : this.begin(key, open)).opening as Promise<S | Unopened>;
  }

  private begin(key: string, open: () => Promise<object>): Entry {
    const entry: Entry = { opening: open(), opened: undefined };
    putNewest(this.entries, key, entry, MAX_SESSIONS);
    void entry.opening.then(
      (opened) => {
        entry.opened = opened;
        if ('kind' in opened) this.forget(key, entry);
      },
      () => this.forget(key, entry),
    );
    return entry;
  }

  private forget(key: string, entry: Entry): void {
    if (this.entries.get(key) === entry) this.entries.delete(key);
  }
}
