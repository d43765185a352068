import type { Channel } from '../../../bolts/channel';
import type { SendBoltSettings } from '../../../bolts/send-bolt';
import type { SendLimits } from '../../../bolts/send-limits';
import type { SendRows } from '../../../bolts/send-rows';
import type { Acks } from '../../../spouts/acks';
import type { OpenRows } from '../../../spouts/open-rows';
import type { SuspendedRows } from '../../../spouts/suspended-rows';
import type { Bolt } from '../../../topology/core/bolt';
import type { DatabaseClock } from '../../../topology/core/clock';
import type { LatenessPolicy } from '../../../topology/core/lateness';
import type { Lease } from '../../../topology/core/lease';
import type { WorkerRegistry } from '../../../topology/runtime/worker-registry';
import type { Due } from '../../../topology/streams';
import type { MemoryDatabase } from '../../support/mysql/memory-database';

/** A deliberately broken variant of one mechanism: it wraps parts that a worker is made of. */
export interface Sabotage {
  /** Wraps the statements as the database runs them. */
  readonly sendRows?: (rows: SendRows, database: MemoryDatabase) => SendRows;
  readonly sendLimits?: (limits: SendLimits) => SendLimits;
  readonly openRows?: (rows: OpenRows, database: MemoryDatabase) => OpenRows;
  readonly suspendedRows?: (rows: SuspendedRows, database: MemoryDatabase) => SuspendedRows;
  readonly registry?: (registry: WorkerRegistry, database: MemoryDatabase) => WorkerRegistry;
  /** Wraps what the worker is given; `now` is by the database's clock. */
  readonly acks?: (acks: Acks, rows: OpenRows, now: () => number) => Acks;
  readonly pages?: (rows: OpenRows, now: () => number) => OpenRows;
  readonly answers?: (rows: SendRows) => SendRows;
  readonly lease?: (lease: Lease) => Lease;
  readonly databaseClock?: (clock: DatabaseClock) => DatabaseClock;
  readonly channel?: (channel: Channel) => Channel;
  readonly boltSettings?: (settings: SendBoltSettings) => SendBoltSettings;
  readonly bolt?: (bolt: Bolt<Due>, database: MemoryDatabase) => Bolt<Due>;
  /** When refused credentials are tried once more, milliseconds. */
  readonly triedAfter?: readonly number[];
  readonly lateness?: (policy: LatenessPolicy) => LatenessPolicy;
  /** Milliseconds, instead of the channel's. */
  readonly recoverDelay?: number;
}
