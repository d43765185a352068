import { thisAuthor } from '../../connectors/mysql/audit/author';
import { Client } from '../../connectors/mysql/client/client';
import { Operations } from '../../connectors/mysql/operators/operations';
import { PoolExecutor } from '../../connectors/mysql/sql/executor';
import { Pool } from '../../connectors/mysql/sql/pool';
import { systemClock } from '../../topology/core/clock';
import type { Schemas } from '../../topology/payloads/given-channel';
import { operatorUrl, readerUrl } from '../../topology/settings/connections';
import { type Environment, required } from '../../topology/settings/environment';
import type { VerbContext } from './verb';

/** Whose connection. The operators' is the workers' unless it is set, and the application's theirs. */
export type DatabaseUrl = 'DATABASE_URL' | 'OPERATOR_DATABASE_URL' | 'ADMIN_DATABASE_URL';

/** @throws UserError saying how to get it */
export function databaseUrl(environment: Environment, name: DatabaseUrl): string {
  switch (name) {
    case 'OPERATOR_DATABASE_URL':
      return operatorUrl(environment);
    case 'DATABASE_URL':
      return readerUrl(environment);
    default:
      return required(environment, name);
  }
}

/**
 * Runs `work` with the client that applications use, as their user.
 * @param schemas of the channels that there are; our own unless given
 */
export function withClient<T>(
  context: VerbContext,
  work: (client: Client, pool: Pool) => Promise<T>,
  schemas?: Schemas,
): Promise<T> {
  return withClientOf('DATABASE_URL', context, work, schemas);
}

/** Runs `work` with a client that may also write what came of messages: as the operators' user. */
export function withWorkersClient<T>(context: VerbContext, work: (client: Client) => Promise<T>): Promise<T> {
  return withClientOf('OPERATOR_DATABASE_URL', context, work);
}

function withClientOf<T>(
  name: DatabaseUrl,
  context: VerbContext,
  work: (client: Client, pool: Pool) => Promise<T>,
  schemas?: Schemas,
): Promise<T> {
  const author = thisAuthor(context.settings.environment.DOWNSPOUT_WHO);
  return withPoolOf(name, context, (pool) => work(new Client(new PoolExecutor(pool), pool, author, schemas), pool));
}

/** Runs `work` with a few connections of the application's user. */
export function withPool<T>(context: VerbContext, work: (pool: Pool) => Promise<T>): Promise<T> {
  return withPoolOf('DATABASE_URL', context, work);
}

/** Runs `work` with a few connections of the operators' user, who is the workers' unless OPERATOR_DATABASE_URL is set. */
export function withWorkersPool<T>(context: VerbContext, work: (pool: Pool) => Promise<T>): Promise<T> {
  return withPoolOf('OPERATOR_DATABASE_URL', context, work);
}

async function withPoolOf<T>(
  name: DatabaseUrl,
  { settings, dryRun }: VerbContext,
  work: (pool: Pool) => Promise<T>,
): Promise<T> {
  const pool = Pool.open(databaseUrl(settings.environment, name), {
    clock: systemClock,
    size: 2,
    timeoutMs: 30_000,
    lockWaitSeconds: 10,
    rehearse: dryRun,
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
