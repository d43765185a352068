import { type Client, createClient } from '../../connectors/mysql/client/client';
import { Operations } from '../../connectors/mysql/operators/operations';
import { Pool } from '../../connectors/mysql/sql/pool';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import type { VerbContext } from './verb';

export type DatabaseUrl = 'DATABASE_URL' | 'WORKER_DATABASE_URL' | 'ADMIN_DATABASE_URL';

/** Runs `work` with the client that applications use, as their user. */
export function withClient<T>(context: VerbContext, work: (client: Client) => Promise<T>): Promise<T> {
  return withClientOf('DATABASE_URL', context, work);
}

/** Runs `work` with a client that may also write what came of messages. */
export function withWorkersClient<T>(context: VerbContext, work: (client: Client) => Promise<T>): Promise<T> {
  return withClientOf('WORKER_DATABASE_URL', context, work);
}

async function withClientOf<T>(
  name: DatabaseUrl,
  { settings }: VerbContext,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = createClient(required(settings.environment, name), { connections: 2 });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Runs `work` with a few connections of the application's user. */
export function withPool<T>(context: VerbContext, work: (pool: Pool) => Promise<T>): Promise<T> {
  return withPoolOf('DATABASE_URL', context, work);
}

/** Runs `work` with a few connections of the workers' user. */
export function withWorkersPool<T>(context: VerbContext, work: (pool: Pool) => Promise<T>): Promise<T> {
  return withPoolOf('WORKER_DATABASE_URL', context, work);
}

async function withPoolOf<T>(
  name: DatabaseUrl,
  { settings }: VerbContext,
  work: (pool: Pool) => Promise<T>,
): Promise<T> {
  const pool = Pool.open(required(settings.environment, name), {
    clock: systemClock,
    size: 2,
    timeoutMs: 30_000,
    lockWaitSeconds: 10,
  });
  try {
    return await work(pool);
  } finally {
    await pool.close();
  }
}

export function withOperations<T>(context: VerbContext, work: (operations: Operations) => Promise<T>): Promise<T> {
  return withPool(context, (pool) => work(new Operations(pool)));
}
