import { createPool, type Pool, type RowDataPacket } from 'mysql2/promise';
import { pageStatement } from '../../connectors/mysql/workers/open-rows';
import { systemClock } from '../../topology/core/clock';

/** Rows of one statement: as many as the five digits of its numbers make. */
const PIECE = 100_000;
const CONNECTIONS = 3;
/** Enough for the indexes of ten million rows, so that no page of them is read again for each row. */
const FILLING_POOL_BYTES = 4 * 1024 ** 3;
/** What the server has of its pool's size as pages. */
const POOL_SIZES_DIFFER = 0.1;
const RESIZED_AGAIN_MS = 500;
const ACCOUNTS = 5_000;
/** What a spout reads of one shard at once. */
const CROWD_PAGE_ROWS = 2_000;
const DAY_MS = 86_400_000;
/** How long ago the rows of a crowd woke. */
const CROWD_AGO_MS = 3_600_000;
/** The session that made the attempts of rows that have ended, 32 hex digits. */
const SESSION = '0b'.repeat(16);
const PAYLOAD = JSON.stringify({ url: 'http://127.0.0.1:1/', body: { text: 'x'.repeat(150) } });

/** Rows of one account that all woke at one instant. */
export interface Crowd {
  readonly account: string;
  readonly channel: string;
  /** JSON text. */
  readonly payload?: string;
  readonly count: number;
}

/** Columns of rows, as expressions of `n` but for the channel. */
interface Columns {
  readonly account: string;
  readonly channel: string;
  readonly state: string;
  readonly dueAt: string;
  readonly payload?: string | undefined;
}

/** Fills the table as the administrator, past the binlog: CDC would need longer for the rows than the measurements do. */
export class FullTable {
  private readonly pool: Pool;

  constructor(adminUrl: string) {
    this.pool = createPool({ uri: adminUrl, connectionLimit: CONNECTIONS, supportBigNumbers: true });
  }

  /** Lends the server memory while it is filled. Afterwards it has what it was started with, and little of the rows in it. */
  async whileFilling(fill: () => Promise<void>): Promise<void> {
    const [[row]] = await this.pool.query<RowDataPacket[]>('SELECT @@GLOBAL.innodb_buffer_pool_size AS bytes');
    await this.resizePool(Math.max(FILLING_POOL_BYTES, Number(row?.['bytes'])));
    try {
      await fill();
    } finally {
      await this.resizePool(Number(row?.['bytes']));
    }
  }

  /** Adds rows that are due over the thirty days that begin in a year. */
  async addFuture(count: number): Promise<void> {
    const from = systemClock.now() + 365 * DAY_MS;
    const dueAt = `${from} + FLOOR(n / ${count} * ${30 * DAY_MS})`;
    await this.add(count, { account: accountOfN, channel: 'webhook', state: "'scheduled'", dueAt });
  }

  /** Adds rows of the last thirty days that have ended, with their attempts: of ten one failed and one is uncertain. */
  async addEnded(count: number): Promise<void> {
    const until = systemClock.now() - 60_000;
    const dueAt = `${until} - FLOOR(n / ${Math.max(1, count)} * ${30 * DAY_MS})`;
    const state = "ELT(1 + LEAST(2, GREATEST(0, n % 10 - 7)), 'delivered', 'failed', 'uncertain')";
    const above = await this.lastId();
    await this.add(count, { account: accountOfN, channel: 'webhook', state, dueAt });
    await this.pool.query(
      `INSERT INTO workers (session, components, host, pid, version, started_at, lease_until, dead, left_at)
         VALUES (X'${SESSION}', '["webhook"]', 'bench', 1, '0', 0, ${until}, 1, ${until})`,
    );
    for (let id = above; id <= (await this.lastId()); id += PIECE) {
      await this.unlogged(
        `INSERT INTO delivery_attempts (message_id, version, session, wake_at, content_hash, started_at, finished_at, outcome, receipt, settled)
           SELECT id, version, X'${SESSION}', wake_at, UNHEX(SHA2(payload, 256)), wake_at, wake_at + 5,
             ELT(FIELD(state, 'delivered', 'failed', 'uncertain'), 'delivered', 'rejected', 'unknown'), receipt, state
           FROM scheduled_messages WHERE id > ${id} AND id <= ${id + PIECE} AND state IN ('delivered', 'failed', 'uncertain')`,
      );
    }
  }

  /** Adds rows of one account that all woke at one instant, an hour ago. */
  async addCrowd({ account, channel, payload, count }: Crowd): Promise<void> {
    const dueAt = String(systemClock.now() - CROWD_AGO_MS);
    await this.add(count, { account: `'${account}'`, channel, state: "'scheduled'", dueAt, payload });
  }

  /** Removes all rows of an account. */
  async remove(account: string): Promise<void> {
    const last = await this.lastId();
    for (let id = 0; id <= last; id += PIECE) {
      await this.unlogged(
        `DELETE FROM scheduled_messages WHERE id > ${id} AND id <= ${id + PIECE} AND account = '${account}'`,
      );
    }
  }

  /** How long a spout's page takes that begins in the middle of a crowd, milliseconds. */
  async pageAmid({ account, channel }: Crowd): Promise<number> {
    const [[row]] = await this.pool.query<RowDataPacket[]>(
      `SELECT (MIN(id) + MAX(id)) DIV 2 AS id, MAX(shard) AS shard, MAX(due_at) AS wake FROM scheduled_messages
         WHERE account = '${account}'`,
    );
    const amid = { shard: Number(row?.['shard']), afterWake: Number(row?.['wake']), afterId: Number(row?.['id']) };
    return this.explainAnalyze(pageStatement(channel, [amid], systemClock.now(), CROWD_PAGE_ROWS));
  }

  /** Runs a statement and has the server say how long it took, milliseconds. */
  async explainAnalyze(statement: string): Promise<number> {
    const [rows] = await this.pool.query<RowDataPacket[]>(`EXPLAIN ANALYZE ${statement}`);
    const text = String(Object.values(rows[0] ?? {})[0]);
    const [, took] = /actual time=[\d.e+-]+\.\.([\d.e+-]+)/.exec(text) ?? [];
    if (took === undefined) throw new Error(`EXPLAIN ANALYZE did not say how long it took: ${text.slice(0, 200)}`);
    return Number(took);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  private async add(count: number, { account, channel, state, dueAt, payload = PAYLOAD }: Columns): Promise<void> {
    let next = 0;
    const writer = async () => {
      while (next < count) {
        const from = next;
        next += PIECE;
        await this.unlogged(
          `INSERT INTO scheduled_messages (account, channel, payload, state, in_doubt, attempts, due_at, delivered_at, receipt)
             SELECT ${account}, '${channel}', '${payload}', state, state = 'uncertain', state <> 'scheduled', due,
               IF(state = 'delivered', due + 5, NULL), IF(state = 'delivered', 'taken', NULL)
             FROM (SELECT n, ${state} AS state, ${dueAt} AS due FROM (${numbers(from)}) AS numbers WHERE n < ${count}) AS new`,
        );
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, writer));
  }

  /** Resolves when the server has done it, which it does beside its work. */
  private async resizePool(bytes: number): Promise<void> {
    await this.pool.query('SET GLOBAL innodb_buffer_pool_size = ?', [bytes]);
    for (;;) {
      const [[row]] = await this.pool.query<RowDataPacket[]>(
        `SELECT VARIABLE_VALUE * @@innodb_page_size AS bytes FROM performance_schema.global_status
           WHERE VARIABLE_NAME = 'Innodb_buffer_pool_pages_total'`,
      );
      if (Math.abs(Number(row?.['bytes']) / bytes - 1) < POOL_SIZES_DIFFER) return;
      await systemClock.sleep(RESIZED_AGAIN_MS);
    }
  }

  private async unlogged(statement: string): Promise<void> {
    const connection = await this.pool.getConnection();
    try {
      await connection.query('SET SESSION sql_log_bin = 0, unique_checks = 0');
      await connection.query(statement);
    } finally {
      connection.release();
    }
  }

  private async lastId(): Promise<number> {
    const [[row]] = await this.pool.query<RowDataPacket[]>(
      'SELECT COALESCE(MAX(id), 0) AS last FROM scheduled_messages',
    );
    return Number(row?.['last']);
  }
}

const accountOfN = `CONCAT('account-', n % ${ACCOUNTS})`;

/** A SELECT of the numbers `from` to `from + PIECE - 1`, in order. */
function numbers(from: number): string {
  const digits = `(VALUES ${Array.from({ length: 10 }, (_, digit) => `ROW(${digit})`).join(', ')})`;
  const places = Array.from({ length: 5 }, (_, place) => `${10 ** place} * d${place}.column_0`);
  const tables = Array.from({ length: 5 }, (_, place) => `${digits} AS d${place}`).toReversed();
  return `SELECT ${from} + ${places.join(' + ')} AS n FROM ${tables.join(', ')} ORDER BY n`;
}
