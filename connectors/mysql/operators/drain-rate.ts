import type { Sql } from '../sql/sql';

/** How quickly the workers of a channel have sent. */
export interface DrainRate {
  readonly channel: string;
  /** Messages per second of one worker in its best whole second; what it could do, if it was busy then. */
  readonly perWorker: number;
  /** Attempts that this was read from. */
  readonly attempts: number;
}

/** Newest attempts that are looked at. */
const ATTEMPTS = 50_000;

/** The rate of each channel as the newest attempts of the ledger show it. */
export async function readDrainRates(sql: Sql): Promise<DrainRate[]> {
  const [newest] = await sql.rows<[number | null]>('SELECT MAX(id) FROM delivery_attempts');
  const from = Math.max(0, (newest?.[0] ?? 0) - ATTEMPTS);
  const rows = await sql.rows<[string, number, string]>(
    'SELECT channel, MAX(sent), SUM(sent) FROM (' +
      'SELECT m.channel, a.session, a.finished_at DIV 1000 AS second, COUNT(*) AS sent FROM delivery_attempts a ' +
      `JOIN scheduled_messages m ON m.id = a.message_id WHERE a.id > ${from} AND a.outcome='delivered' ` +
      'GROUP BY m.channel, a.session, second) seconds GROUP BY channel',
  );
  return rows.map(([channel, perWorker, attempts]) => ({ channel, perWorker, attempts: Number(attempts) }));
}
