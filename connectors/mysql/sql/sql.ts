import type { ResultSetHeader } from 'mysql2/promise';

/** One connection in use. A row is an array of columns in the order of the SELECT. */
export interface Sql {
  rows<T extends readonly unknown[]>(statement: string): Promise<T[]>;
  /** Runs a statement that writes. */
  run(statement: string): Promise<ResultSetHeader>;
  /** Its transactions lock the gaps where they find no row: REPEATABLE READ or SERIALIZABLE. */
  readonly locksGaps?: boolean;
}

/** Runs `work` between START TRANSACTION and COMMIT, or ROLLBACK to see only what it would do. Whatever is thrown, the transaction has ended or the connection is lost. */
export async function inTransaction<T>(sql: Sql, work: (sql: Sql) => Promise<T>, end = 'COMMIT'): Promise<T> {
  try {
    await sql.run('START TRANSACTION');
    const answer = await work(sql);
    await sql.run(end);
    return answer;
  } catch (error) {
    // A ROLLBACK that fails makes the connection lost, and its owner destroys it.
    await sql.run('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
