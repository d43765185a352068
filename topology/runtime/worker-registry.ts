import type { ClockReading } from '../core/clock';
import type { Unavailable } from '../core/errors';
import type { Gauges } from '../gauges';

/** What a worker process was started for. A person who starts one gives none of it. */
export interface WorkerPlace {
  /** The release whose specification it runs. */
  readonly releaseNumber: number;
  /** The placement of its component that it fills, from 1 on, and the supervisor that started it: 32 hex digits. */
  readonly replica?: number;
  readonly supervisor?: string;
}

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
  readonly place?: WorkerPlace;
}

/** What a worker reports with each renewal: partitions and gauges, by component. */
export interface WorkerReport {
  readonly partitions: Readonly<Record<string, readonly number[]>>;
  readonly gauges: Readonly<Record<string, Gauges>>;
  /** By what was paused then, epoch milliseconds by the database's clock, the gauges were emitted. Workers before this was reported lack it. */
  readonly pausesReadAt?: number;
}

/** What a worker reads from the database once a second. */
export interface Pulse {
  readonly reading: ClockReading;
  /** The database is no longer of the deployment that the worker has joined: a copy was loaded into it, or it was adopted elsewhere. */
  readonly belongsElsewhere: boolean;
  /** True: everything is paused, `downspout deactivate`. */
  readonly deactivated: boolean;
  readonly pausedChannels: readonly string[];
  /** Nothing is emitted to these because a command adds partitions; what was emitted is sent. */
  readonly emissionPausedChannels: readonly string[];
  readonly pausedAccounts: readonly { readonly channel: string; readonly account: string }[];
  /** Who is at a limit; most of them where there are very many. */
  readonly limited: readonly LimitedAccount[];
  /** Why that is not known, said now and then: the table is missing, or may not be read. Then nobody is taken to be at a limit. */
  readonly limitsUnread?: Unavailable;
}

/** An account that is at a limit, or all of its channel, where its name is empty. Epoch milliseconds by the database's clock. */
export interface LimitedAccount {
  readonly channel: string;
  readonly account: string;
  /** Until then spouts emit nothing of it. */
  readonly gateUntil: number;
  /** Until then the provider takes nothing, as it said itself. */
  readonly heldUntil: number;
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
