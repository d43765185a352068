import { readFileSync } from 'node:fs';
import { Client } from '../../../connectors/mysql/client/client';
import { Pool } from '../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../topology/core/clock';
import { readEnvironment, required } from '../../../topology/settings/environment';

/**
 * An application that dies while it schedules the messages that standard input has as JSON: `schedule-uncommitted` just before its COMMIT,
 * `schedule-committed` when that has taken effect and nobody was told.
 */
async function run(point: string | undefined): Promise<void> {
  const pool = Pool.open(required(readEnvironment(), 'DATABASE_URL'), { clock: systemClock, size: 1 });
  const client = new Client(
    {
      async atomically(work) {
        const answer = await pool.transaction(async (session) => {
          const inner = await work(session);
          if (point === 'schedule-uncommitted') die();
          return inner;
        });
        die();
        return answer;
      },
    },
    pool,
  );
  await client.schedule(JSON.parse(readFileSync(process.stdin.fd, 'utf8')));
}

void run(process.argv[2]);

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}
