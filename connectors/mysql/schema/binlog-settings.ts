import type { Sql } from '../sql/sql';

/** CDC may be away for so long before the server forgets what it has not read. */
const LEAST_RETENTION_S = 24 * 3_600;

/** What each setting must be, and how a person makes it so. */
const needed: readonly [name: string, value: string, cure: string][] = [
  ['log_bin', 'ON', 'start the server with --log-bin'],
  ['binlog_format', 'ROW', 'SET PERSIST binlog_format=ROW'],
  ['binlog_row_image', 'FULL', 'SET PERSIST binlog_row_image=FULL'],
  ['binlog_row_value_options', '', "SET PERSIST binlog_row_value_options=''"],
];

/**
 * Settings of the server's binlog that CDC cannot work with, one line each with what to do. Rows have to be logged, as a
 * whole: at an update that was logged in part the connector fails, and one whose JSON was (PARTIAL_JSON) it skips without a
 * word, so that every edit and retry comes by reconciling, seconds late. binlog_row_metadata may be either, because Debezium
 * keeps the schema itself. A session may have settings of its own, which nobody else can see.
 */
export async function binlogFaults(sql: Pick<Sql, 'rows'>): Promise<string[]> {
  const names = [...needed.map(([name]) => name), 'binlog_expire_logs_seconds', 'binlog_expire_logs_auto_purge'];
  const rows = await sql.rows<[string, string]>(
    `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names.map((name) => `'${name}'`).join(', ')})`,
  );
  return faultsOf(new Map(rows));
}

/** @param settings those that the server has; one that it does not have any more cannot be wrong */
function faultsOf(settings: ReadonlyMap<string, string>): string[] {
  const faults = needed.flatMap(([name, value, cure]) => {
    const found = settings.get(name);
    return found === undefined || found.toUpperCase() === value ? [] : [`${name} is ${found}: ${cure}`];
  });
  const seconds = Number(settings.get('binlog_expire_logs_seconds') ?? 0);
  const isPurged = settings.get('binlog_expire_logs_auto_purge') !== 'OFF' && seconds > 0;
  if (!isPurged || seconds >= LEAST_RETENTION_S) return faults;
  return [
    ...faults,
    `binlog_expire_logs_seconds is ${seconds}, less than a day: SET PERSIST binlog_expire_logs_seconds=604800`,
  ];
}
