import type { Clock } from '../../../topology/core/clock';
import { Pool } from '../sql/pool';

/** Connections to MySQL that a worker opens at most. Renewals of the lease have their own, so that no work stands before them. */
const SESSION_CONNECTIONS = 2;
const WORK_CONNECTIONS = 8;
export const CONNECTIONS_PER_WORKER = SESSION_CONNECTIONS + WORK_CONNECTIONS;

/** Makes no connection yet. Both wait for what a person can put right. @param url of the workers' user */
export function openWorkerPools(url: string, clock: Clock): { readonly session: Pool; readonly work: Pool } {
  const work = Pool.open(url, { clock, size: WORK_CONNECTIONS, patient: true });
  // Where the user may have few connections, those for work would keep all of them, and without a lease do no work.
  const session = Pool.open(url, { clock, size: SESSION_CONNECTIONS, patient: true, before: work });
  return { session, work };
}
