import type { Clock } from '../../../topology/core/clock';
import type { ComposeFile } from '../compose-file';
import type { Cache } from '../fetch/cache';
import type { Program } from '../host/processes';

/** What the parts have in common. */
export interface PartContext {
  readonly compose: ComposeFile;
  readonly cache: Cache;
  readonly clock: Clock;
  /** The stack's folder, `.downspout`. */
  readonly folder: string;
  /** Ports by purpose, e.g. `mysql`, `kafka`. */
  readonly ports: Readonly<Record<string, number>>;
  /** Of Kafka: all its brokers have it. Data that was made under another one keeps that. */
  readonly clusterId: string;
  /** The database administrator's password. */
  readonly adminPassword: string;
  /** Debezium's in MySQL: Connect gets it in its environment, and the connector a reference to it. */
  readonly cdcPassword: string;
  /** Three MySQL servers, three brokers, two Connect workers. */
  readonly ha: boolean;
  /** A MySQL server of the group runs, so that another one can join it. */
  readonly groupRuns: boolean;
}

/** One program of the stack, as it runs on this machine. */
export interface Part {
  readonly name: string;
  /** False when messages are delivered without it. */
  readonly needed: boolean;
  /** Major, minor and patch where they are known. */
  readonly version: string;
  readonly port: number;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number;
  /**
   * Finds the program or fetches it. Called before `prepare`.
   * @param onFetch called when something is downloaded
   * @throws UserError that names what to install
   */
  readonly fetch: (onFetch: () => void) => Promise<void>;
  /** Writes its configuration and initialises its data where that was not done. */
  readonly prepare: () => Promise<Program>;
  /** Removes files of a killed process that would keep the next one from starting. Called while none runs. */
  readonly tidy?: () => void;
  /** Whether it answers. */
  readonly ready: () => Promise<boolean>;
}

/** `9.7` of `9.7.4-2`. */
export function majorMinor(version: string): string {
  return /(\d+\.\d+)/.exec(version)?.[1] ?? version;
}

/** Whether two versions have the same major and minor. */
export function fits(found: string, wanted: string): boolean {
  return majorMinor(found) === majorMinor(wanted);
}

/** Whether a GET is answered with success within two seconds. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
