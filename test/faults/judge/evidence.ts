import type { SeenAttempt, SeenRow, SeenSession } from '../../../connectors/mysql/operators/verify/seen';
import type { ClientOperation, Histories, ReceivedRequest } from './history';

/** `downspout-<deployment>-<message>-<plan>`. */
const KEY = /^downspout-[0-9a-f]{16}-(\d+)-\d+$/;

/** The histories by message. */
export class Evidence {
  readonly rows: ReadonlyMap<number, SeenRow>;
  readonly sessions: ReadonlyMap<string, SeenSession>;
  /** In the order of their arrival. */
  readonly requests: ReadonlyMap<number, readonly ReceivedRequest[]>;
  /** Messages of which an answer said that they are scheduled. */
  readonly acknowledged: ReadonlySet<number>;
  private readonly operations: ReadonlyMap<number, readonly ClientOperation[]>;
  private readonly attempts: ReadonlyMap<number, readonly SeenAttempt[]>;

  constructor(readonly histories: Histories) {
    const { clients, requests, table } = histories;
    this.rows = new Map(table.rows.map((row) => [row.id, row]));
    this.sessions = new Map(table.sessions.map((one) => [one.session, one]));
    this.requests = grouped(
      requests.toSorted((a, b) => a.at - b.at),
      ({ key }) => messageOf(key),
    );
    this.operations = grouped(clients, ({ id }) => id);
    this.attempts = grouped(
      table.attempts.toSorted((a, b) => a.version - b.version),
      ({ id }) => id,
    );
    this.acknowledged = new Set(
      clients.flatMap(({ kind, result, id }) =>
        kind === 'schedule' && result === 'ok' && id !== undefined ? [id] : [],
      ),
    );
  }

  operationsOn(id: number): readonly ClientOperation[] {
    return this.operations.get(id) ?? [];
  }

  requestsFor(id: number): readonly ReceivedRequest[] {
    return this.requests.get(id) ?? [];
  }

  /** In the order of their versions. */
  attemptsOf(id: number): readonly SeenAttempt[] {
    return this.attempts.get(id) ?? [];
  }

  /** When the first cancel was acknowledged. */
  canceledAt(id: number): number | undefined {
    return this.operationsOn(id).find(({ kind, result }) => kind === 'cancel' && result === 'ok')?.endedAt;
  }

  /**
   * What the plan may say at that time, by those who asked: an operation counts from the moment it was asked until another
   * that surely came after it has been acknowledged.
   */
  inForce(id: number, what: 'content' | 'dueAt', at: number): ClientOperation[] {
    const asked = this.operationsOn(id).filter(
      (one) => one[what] !== undefined && one.result !== 'fail' && one.invokedAt <= at,
    );
    const replaced = (one: ClientOperation) =>
      asked.some((other) => other.result === 'ok' && other.endedAt < at && one.endedAt < other.invokedAt);
    return asked.filter((one) => !replaced(one));
  }
}

/** The message of an idempotency key. A key of another form belongs to none. */
export function messageOf(key: string): number {
  return Number(KEY.exec(key)?.[1]);
}

function grouped<T, K>(all: readonly T[], keyOf: (one: T) => K | undefined): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}
