import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection, RowDataPacket } from 'mysql2/promise';

/** Bytes of all binlogs that are there: what is between two readings is what was written, while none is purged. */
export async function binlogBytes(connection: Connection): Promise<number> {
  const [logs] = await connection.query<RowDataPacket[]>('SHOW BINARY LOGS');
  return logs.reduce((sum, log) => sum + Number(log['File_size']), 0);
}

/** Bytes of the logs of topics in a broker's folder, without their indexes, which the broker allots in advance. */
export function topicBytes(folder: string, topics: readonly string[]): number {
  const partitions = readdirSync(folder).filter((name) => topics.includes(name.replace(/-\d+$/, '')));
  const files = partitions.flatMap((partition) =>
    readdirSync(join(folder, partition)).map((file) => join(folder, partition, file)),
  );
  return files.filter((file) => file.endsWith('.log')).reduce((sum, file) => sum + statSync(file).size, 0);
}
