/** Connections to MySQL that a worker opens at most. Renewals of the lease have their own, so that no work stands before them. */
export const SESSION_CONNECTIONS = 2;
export const WORK_CONNECTIONS = 8;
export const CONNECTIONS_PER_WORKER = SESSION_CONNECTIONS + WORK_CONNECTIONS;
