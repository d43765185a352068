import type { Clock } from '../../../topology/core/clock';
import { errnoOf, isDataError, isLocked, isLockWaitTimeout } from './failures';
import { integer, list } from './literals';
import type { Sql } from './sql';

/** What is refused is split in so many parts: where a statement waits for a lock, each level of parts costs one wait. */
const MAX_PARTS = 8;
/** Statements that may fail before one succeeds; then the answer is taken to be about no row. */
const MAX_IN_VAIN = 6;
/** For so long after that the same answer is thrown without a search. */
const IN_VAIN_FOR_MS = 1_000;
/** Statements of one call that may wait for a lock in vain. */
const MAX_WAITS = 6;
/** Rows of which it is remembered how they were refused. */
const MAX_REMEMBERED = 1_000;

interface Identified {
  readonly id: number;
}

export interface LeftOut<Row> {
  readonly row: Row;
  readonly error: unknown;
  /** It would have waited for a lock of somebody else. */
  readonly again: boolean;
  /** It was tried by itself. False when too many waits came before. */
  readonly isAlone: boolean;
  /** The wait for a lock for which it is not written: of rows of its account alone, or of others, so that it could be written at once. */
  readonly wait?: 'own' | 'others';
}

export interface InPartsOptions {
  /**
   * What waits is divided by account at once, so that it is soon known whose rows wait, and the smallest parts are tried first. An account
   * that has waited by itself, beside others, is handed back whole: dividing it would cost the others a wait for each part.
   */
  readonly byAccount?: boolean;
  readonly maxWaits?: number;
  /** In [0, 1): which of several equal parts is tried first. */
  readonly random?: () => number;
}

/**
 * Writes rows with as few statements as the database takes, and finds those that it refuses. What it can answer about one row is
 * not listed anywhere: a trigger of an application may fail in any way, wait for anything, and one row may be too large.
 *
 * 1. *A row that the database refuses holds no other*: whatever the answer was, the rows are written in parts, and parts that are
 *    refused in smaller ones. Rows of one account stay together for as long as others are with them, because what is refused is
 *    mostly of one account; and while nothing is written other accounts are tried first.
 * 2. *An outage is no refusal, and costs a few statements*: when nothing could be written the first answer is thrown, and for a
 *    second after that the same answer is thrown at once. Only a row that was refused beside others before, in the same way, or
 *    an answer about a value, counts without anything that was written.
 * 3. *Waits are few*: after six that were in vain what is left is handed back. Of rows of accounts that were not seen to wait it is
 *    said, because they can be written at once.
 *
 * At worst, where nearly all are refused, it takes some two statements for each row.
 */
export class InParts {
  /** The error number by the id of the row. */
  private readonly known = new Map<number, number>();
  private inVain: { readonly errno: number; readonly until: number } | undefined;
  private readonly maxWaits: number;
  private readonly byAccount: boolean;
  private readonly random: () => number;

  constructor(
    private readonly pool: Pick<Sql, 'rows'> & { readonly clock: Pick<Clock, 'monotonic'> },
    { maxWaits = MAX_WAITS, byAccount = false, random = Math.random }: InPartsOptions = {},
  ) {
    this.byAccount = byAccount;
    this.maxWaits = maxWaits;
    this.random = random;
  }

  /**
   * @param action writes a part, all of it or nothing. `hasWaited`: a part before has waited for a lock in vain, so what is locked
   * should be left out. Resolves to 0 when it wrote nothing, which shows nothing of the others
   * @returns the rows that were refused
   * @throws what `action` throws without an answer of the server, or when nothing can be written; parts before may be written
   */
  async write<Row extends Identified>(
    rows: readonly Row[],
    action: (part: readonly Row[], hasWaited: boolean) => Promise<unknown>,
  ): Promise<LeftOut<Row>[]> {
    const refused: LeftOut<Row>[] = [];
    const parts = rows.length === 0 ? [] : [rows];
    let first: { readonly error: unknown; readonly errno: number } | undefined;
    let accounts: ReadonlyMap<number, string> | undefined;
    let [failures, waits, hasWritten] = [0, 0, false];
    /** Accounts of which nothing was written, although they were tried by themselves. */
    const tried = new Set<string>();
    const waited = new Set<string>();
    const ownerOf = (row: Row | undefined) => accounts?.get(row?.id ?? 0) ?? '';
    const isInVain = ([row]: readonly Row[]) => tried.has(ownerOf(row));
    const leave = (left: readonly Row[], error: unknown, again: boolean, isAlone: boolean) => {
      for (const row of left) {
        const wait = isAlone || waited.has(ownerOf(row)) ? 'own' : 'others';
        refused.push({ row, error, again, isAlone, ...(isLockWaitTimeout(error) && { wait }) });
      }
    };
    for (let part = this.takeLargest(parts); part !== undefined; ) {
      try {
        if ((await action(part, waits > 0)) !== 0) {
          hasWritten = true;
          this.inVain = undefined;
          this.forget(part);
        }
      } catch (error) {
        const errno = errnoOf(error);
        if (errno === undefined) throw error;
        const again = isLocked(error);
        failures++;
        if (again) waits++;
        else if (!isDataError(error)) first ??= { error, errno };
        const isOver = failures >= MAX_IN_VAIN || this.isInVain(errno, rows);
        if (first !== undefined && !hasWritten && isOver) return this.nothingWritten(rows, first);
        if (rows.length > 1) {
          accounts ??= await this.accountsOf(rows);
          const [account = '', ...others] = new Set(part.map(ownerOf));
          if (others.length === 0) tried.add(account);
          if (others.length === 0 && again) waited.add(account);
        }
        const isWhole = this.byAccount && isLockWaitTimeout(error) && this.isOneOfSeveral(part, rows, ownerOf);
        if (part.length === 1 || waits >= this.maxWaits || isWhole) {
          leave(part, error, again, part.length === 1);
        } else {
          parts.push(...split(part, accounts as ReadonlyMap<number, string>, this.byAccount && again));
        }
        if (waits >= this.maxWaits) leave(parts.splice(0).flat(), error, true, false);
      }
      // Small parts find something that can be written; then large ones, because most of what is left is in them.
      const isFound = hasWritten && !(this.byAccount && waits > 0);
      part = isFound ? this.takeLargest(parts) : this.takeSmallest(parts, isInVain);
    }
    if (first !== undefined && !hasWritten) return this.nothingWritten(rows, first);
    this.remember(refused);
    return refused.toSorted((one, other) => one.row.id - other.row.id);
  }

  private isOneOfSeveral<Row>(part: readonly Row[], rows: readonly Row[], ownerOf: (row: Row) => string): boolean {
    const owner = ownerOf(part[0] as Row);
    return part.every((row) => ownerOf(row) === owner) && rows.some((row) => ownerOf(row) !== owner);
  }

  private nothingWritten<Row extends Identified>(
    rows: readonly Row[],
    { error, errno }: { readonly error: unknown; readonly errno: number },
  ): LeftOut<Row>[] {
    if (this.areKnown(rows, errno)) return rows.map((row) => ({ row, error, again: false, isAlone: true }));
    const now = this.pool.clock.monotonic();
    // One row alone says nothing of others.
    if (rows.length > 1 && !this.isInVain(errno, rows)) this.inVain = { errno, until: now + IN_VAIN_FOR_MS };
    throw error;
  }

  private isInVain(errno: number, rows: readonly Identified[]): boolean {
    const { inVain } = this;
    return inVain?.errno === errno && this.pool.clock.monotonic() < inVain.until && !this.areKnown(rows, errno);
  }

  private areKnown(rows: readonly Identified[], errno: number): boolean {
    return rows.every(({ id }) => this.known.get(id) === errno);
  }

  private forget(rows: readonly Identified[]): void {
    if (this.known.size > 0) for (const { id } of rows) this.known.delete(id);
  }

  private remember(refused: readonly LeftOut<Identified>[]): void {
    for (const { row, error, again } of refused) {
      if (again) continue;
      this.known.delete(row.id);
      this.known.set(row.id, errnoOf(error) ?? 0);
    }
    for (const id of this.known.keys()) {
      if (this.known.size <= MAX_REMEMBERED) return;
      this.known.delete(id);
    }
  }

  private async accountsOf(rows: readonly Identified[]): Promise<ReadonlyMap<number, string>> {
    if (rows.length === 1) return new Map();
    return new Map(
      await this.pool.rows<[id: number, account: string]>(
        `SELECT id, account FROM scheduled_messages FORCE INDEX (PRIMARY) WHERE id IN ${list(rows, ({ id }) => integer(id))}`,
      ),
    );
  }

  private takeLargest<Row>(parts: (readonly Row[])[]): readonly Row[] | undefined {
    return this.takeOut(parts, parts, Math.max);
  }

  /** What is left of accounts that were tried in vain comes last: it may be a great number of small parts. */
  private takeSmallest<Row>(
    parts: (readonly Row[])[],
    isInVain: (part: readonly Row[]) => boolean,
  ): readonly Row[] | undefined {
    const others = parts.filter((part) => !isInVain(part));
    return this.takeOut(parts, others.length > 0 ? others : parts, Math.min);
  }

  private takeOut<Row>(
    parts: (readonly Row[])[],
    among: readonly (readonly Row[])[],
    choose: (...lengths: number[]) => number,
  ): readonly Row[] | undefined {
    const wanted = choose(...among.map(({ length }) => length));
    const equal = among.filter(({ length }) => length === wanted);
    const part = equal[Math.floor(this.random() * equal.length)];
    if (part !== undefined) parts.splice(parts.indexOf(part), 1);
    return part;
  }
}

/** Parts of some eighth of the rows, of whole accounts unless all are of one. Each is in the order of the rows. */
function split<Row extends Identified>(
  rows: readonly Row[],
  accounts: ReadonlyMap<number, string>,
  byAccount: boolean,
): Row[][] {
  const owners = new Map<string, Row[]>();
  for (const row of rows) {
    const account = accounts.get(row.id) ?? '';
    const own = owners.get(account);
    if (own === undefined) owners.set(account, [row]);
    else own.push(row);
  }
  const groups = owners.size > 1 ? [...owners.values()] : rows.map((row) => [row]);
  const perPart = byAccount && owners.size > 1 ? 1 : Math.ceil(groups.length / MAX_PARTS);
  const parts: Row[][] = [];
  for (let from = 0; from < groups.length; from += perPart) {
    parts.push(
      groups
        .slice(from, from + perPart)
        .flat()
        .toSorted((one, other) => one.id - other.id),
    );
  }
  return parts;
}
