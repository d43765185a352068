import type { Connection, ResultSetHeader } from 'mysql2/promise';
import { Unavailable } from '../../../topology/core/errors';
import { errnoOf, instructionOf, instructionOfWrite, isUnanswered, leavesConnectionUsable } from './failures';
import type { Sql } from './sql';

export interface InUseOptions {
  /** How long to wait for an answer; without an end unless given. */
  readonly timeoutMs?: number;
  /** Of a process that runs on its own. */
  readonly patient?: boolean;
  /** What the statements of a caller's connection need besides: its settings are not ours. */
  readonly query?: Readonly<Record<string, unknown>>;
}

/** A connection while somebody works on it, and what its answers say about it. */
export class ConnectionInUse implements Sql {
  /** Nothing may be sent on it any more: it did not answer, or the state of its transaction is not known. */
  lost = false;
  /** It answers, but another one may be better: its server is read-only, stopping, full … */
  doubtful = false;
  locksGaps = false;
  /** The server may still be working on its last statement. */
  unanswered = false;

  constructor(
    private readonly connection: Connection,
    private readonly options: InUseOptions,
  ) {}

  rows<T extends readonly unknown[]>(statement: string): Promise<T[]> {
    return this.query(statement, true);
  }

  run(statement: string): Promise<ResultSetHeader> {
    return this.query(statement, false);
  }

  private async query<T>(statement: string, isRead: boolean): Promise<T> {
    if (this.lost) throw new Unavailable('the connection to MySQL was lost');
    const { timeoutMs, query, patient = false } = this.options;
    const timeout = timeoutMs === undefined ? {} : { timeout: timeoutMs };
    try {
      const [answer] = await this.connection.query({ sql: statement, rowsAsArray: isRead, ...timeout, ...query });
      return answer as T;
    } catch (error) {
      this.unanswered ||= isUnanswered(error);
      this.lost ||= errnoOf(error) === undefined || statement === 'ROLLBACK';
      this.doubtful ||= !leavesConnectionUsable(error);
      throw isRead ? instructionOf(error) : instructionOfWrite(error, patient);
    }
  }
}
