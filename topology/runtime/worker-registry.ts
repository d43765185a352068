import type { ClockReading } from '../core/clock';
import type { Gauges } from '../gauges';

/** One life of a worker process, as it is registered. */
export interface WorkerIdentity {
  /** 32 hex digits, new at every start. */
  readonly session: string;
  /** Component names, e.g. `['due', 'webhook']`. */
  readonly components: readonly string[];
  readonly host: string;
  readonly pid: number;
  /** Downspout's version. */
  readonly version: string;
  /** Where health and metrics are, or null. */
  readonly statusUrl: string | null;
}

/** What a worker reports with each renewal: partitions and gauges, by component. */
export interface WorkerReport {
  readonly partitions: Readonly<Record<string, readonly number[]>>;
  readonly gauges: Readonly<Record<string, Gauges>>;
}

/** What a worker reads from the database once a second. */
export interface Pulse {
  readonly reading: ClockReading;
  readonly pausedChannels: readonly string[];
  readonly pausedAccounts: readonly { readonly channel: string; readonly account: string }[];
}

/** The workers' register in the database. Every call throws Unavailable when it does not answer. */
export interface WorkerRegistry {
  /** Adds the worker with a lease of `leaseMs` from the database's now. */
  register(worker: WorkerIdentity, leaseMs: number): Promise<void>;
  /** Extends the lease unless the session was marked dead. @returns false when it is dead, for ever. */
  renew(session: string, leaseMs: number, report: WorkerReport): Promise<boolean>;
  /** Ends the lease of a worker that stopped in good order and owns nothing. */
  leave(session: string): Promise<void>;
  pulse(): Promise<Pulse>;
}
