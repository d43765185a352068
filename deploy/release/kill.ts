import { NOW_MS } from '../../connectors/mysql/sql/literals';
import type { Sql } from '../../connectors/mysql/sql/sql';

/**
 * Lets spouts emit nothing more. The pause says that it is that of `kill`, so that the next deploy ends it wherever kill was
 * ended, and one that a person made stays.
 */
export async function deactivateForKill(sql: Sql): Promise<void> {
  await sql.run(`INSERT IGNORE INTO pauses (channel, account, command, paused_at) VALUES ('', '', 'kill', ${NOW_MS})`);
}

/** Activates again what `kill` deactivated. */
export async function endKill(sql: Sql): Promise<void> {
  await sql.run("DELETE FROM pauses WHERE channel='' AND account='' AND command='kill'");
}
