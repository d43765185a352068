import { sql } from 'drizzle-orm';
import {
  bigint,
  check,
  customType,
  index,
  int,
  json,
  mysqlEnum,
  mysqlTable,
  primaryKey,
  smallint,
  timestamp,
  tinyint,
  uniqueIndex,
  varchar,
} from 'drizzle-orm/mysql-core';
import { onLateWays } from '../../../topology/core/lateness';
import type { Used } from '../../../topology/core/limits';
import type { Gauges } from '../../../topology/gauges';
import { messageStates } from '../../../topology/message';

/**
 * Text that is a key: `Order-A` and `order-a` are two keys, and so are `k` and `k ` because this collation does not pad. MySQL
 * refuses to compare columns of two binary collations, so every key of every table has this one.
 */
const key = customType<{ data: string; config: { length: number } }>({
  dataType: (config) => `varchar(${config?.length}) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin`,
});

/** A session's 32 hex digits, kept as 16 bytes. */
const session = customType<{ data: string; driverData: Buffer }>({
  dataType: () => 'binary(16)',
  toDriver: (hex) => Buffer.from(hex, 'hex'),
  fromDriver: (bytes) => bytes.toString('hex'),
});

const bytes = customType<{ data: Buffer; config: { length: number; fixed?: boolean } }>({
  dataType: (config) => `${config?.fixed === true ? 'binary' : 'varbinary'}(${config?.length})`,
});

/** The moment of the last change. drizzle has no word for ON UPDATE, so the type carries it. */
const touched = customType<{ data: string }>({
  dataType: () => 'timestamp(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)',
});

const id = () => bigint({ mode: 'number', unsigned: true }).autoincrement().primaryKey();
/** Epoch milliseconds. */
const instant = () => bigint({ mode: 'number' });
const stamp = () => timestamp({ fsp: 6, mode: 'string' }).notNull().default(sql`CURRENT_TIMESTAMP(6)`);

/** The only truth. See docs/how-it-works.md for what each column means to the flow. */
export const scheduledMessages = mysqlTable(
  'scheduled_messages',
  {
    id: id(),
    account: key({ length: 64 }).notNull(),
    channel: key({ length: 32 }).notNull(),
    dueAt: instant().notNull(),
    /** What the user typed, when it was a wall time. */
    localTime: varchar({ length: 32 }),
    zone: varchar({ length: 64 }),
    retryAt: instant(),
    /** How long after the due time it may be sent, milliseconds; NULL: as its channel says. The same of what happens afterwards. */
    sendWithin: int({ unsigned: true }),
    onLate: mysqlEnum(onLateWays),
    /** When a person had it sent again: its time begins then at the earliest. */
    lateFrom: instant(),
    /** 1: it failed because it was not sent in time. In other states it says nothing. */
    late: tinyint().notNull().default(0),
    state: mysqlEnum(messageStates as [string, ...string[]])
      .notNull()
      .default('scheduled'),
    version: int({ unsigned: true }).notNull().default(1),
    attempts: smallint({ unsigned: true }).notNull().default(0),
    /** Part of the idempotency key: +1 at an edit or redrive of a row that is not in doubt, never at a retry or recovery. */
    planNumber: int({ unsigned: true }).notNull().default(1),
    /** The version with which the plan number began: attempts before it belong to earlier plans. */
    planVersion: int({ unsigned: true }).notNull().default(1),
    /** When the first attempt of this plan began. */
    firstAttemptAt: instant(),
    /** 0, 1, or DECIDED of doubt.ts. */
    inDoubt: tinyint().notNull().default(0),
    /** When the first attempt began that may have been accepted, or was claimed if it did not say; NULL when there is none. */
    doubtSince: instant(),
    /** Claims in a row that came to no outcome, because their workers ended, for example. */
    recoveries: tinyint({ unsigned: true }).notNull().default(0),
    /** Never NULL: a claim must not make the row longer, or it moves within its page, which costs half as much again. */
    claim: session().notNull().default(sql`x'00000000000000000000000000000000'`),
    deliveredAt: instant(),
    receipt: varchar({ length: 512 }),
    lastError: varchar({ length: 1024 }),
    dedupeKey: key({ length: 128 }),
    /** Of what was scheduled under the dedupe key, so that scheduling it again is recognised after an edit. */
    scheduledHash: bytes({ length: 16, fixed: true }),
    createdAt: stamp(),
    updatedAt: touched().notNull(),
    shard: smallint({ unsigned: true }).generatedAlwaysAs(sql`CRC32(account) % 256`, { mode: 'stored' }),
    wakeAt: instant().generatedAlwaysAs(
      sql`IF(state = 'canceled', NULL, GREATEST(due_at, COALESCE(retry_at, due_at)))`,
      { mode: 'stored' },
    ),
    open: tinyint().generatedAlwaysAs(sql`IF(state IN ('scheduled', 'sending'), 1, NULL)`, { mode: 'virtual' }),
    /** 1: failed, 2: uncertain. NULL for all others, so that the index holds only rows that need a person. */
    needsPerson: tinyint().generatedAlwaysAs(sql`CASE state WHEN 'failed' THEN 1 WHEN 'uncertain' THEN 2 END`, {
      mode: 'virtual',
    }),
    /** 1: suspended. So that those of one account are found in the order in which they are due. */
    suspended: tinyint().generatedAlwaysAs(sql`IF(state = 'suspended', 1, NULL)`, { mode: 'virtual' }),
    /** Of what was not sent in time; 1 of `late` rows, 2 of skipped ones. */
    lateKind: tinyint().generatedAlwaysAs(
      sql`CASE WHEN state = 'late' THEN 1 WHEN state = 'failed' AND late = 1 THEN 2 END`,
      { mode: 'virtual' },
    ),
    payload: json().notNull(),
  },
  (table) => [
    index('open_by_wake').on(table.open, table.channel, table.shard, table.wakeAt),
    index('needs_person').on(table.needsPerson, table.channel),
    index('suspended_by_due').on(table.suspended, table.channel, table.account, table.dueAt),
    index('late_by_due').on(table.lateKind, table.channel, table.account, table.dueAt),
    uniqueIndex('dedupe').on(table.account, table.dedupeKey),
    check('due_at_between_2000_and_2100', sql`due_at BETWEEN 946684800000 AND 4102444800000`),
  ],
);

/** One row per life of a worker process. `lease_until` is epoch milliseconds by the database's clock. */
export const workers = mysqlTable('workers', {
  session: session().primaryKey(),
  components: json().$type<readonly string[]>().notNull(),
  host: varchar({ length: 255 }).notNull(),
  pid: int({ unsigned: true }).notNull(),
  version: varchar({ length: 64 }).notNull(),
  /** The release it runs, the placement it fills and the supervisor that started it; NULL when a person started it. */
  releaseNumber: int({ unsigned: true }),
  replica: smallint({ unsigned: true }),
  supervisor: session(),
  statusUrl: varchar({ length: 255 }),
  startedAt: instant().notNull(),
  leaseUntil: instant().notNull(),
  dead: tinyint().notNull().default(0),
  /** When it stopped in good order. */
  leftAt: instant(),
  report: json().$type<{
    partitions: Record<string, number[]>;
    gauges: Record<string, Gauges>;
  }>(),
});

/** One row per attempt: the ledger. Few and short indexes, because it is written with every send. */
export const deliveryAttempts = mysqlTable(
  'delivery_attempts',
  {
    id: id(),
    messageId: bigint({ mode: 'number', unsigned: true }).notNull(),
    version: int({ unsigned: true }).notNull(),
    session: session().notNull(),
    wakeAt: instant().notNull(),
    contentHash: bytes({ length: 32, fixed: true }).notNull(),
    /** Null when no request was made. */
    startedAt: instant(),
    finishedAt: instant().notNull(),
    outcome: mysqlEnum(['delivered', 'retry', 'rejected', 'unknown', 'postponed', 'unusable', 'late']).notNull(),
    status: smallint({ unsigned: true }),
    error: varchar({ length: 1024 }),
    receipt: varchar({ length: 512 }),
    /** What the attempt meant for the message. */
    settled: mysqlEnum(['delivered', 'failed', 'uncertain', 'scheduled', 'suspended', 'late']).notNull(),
    recordedAt: stamp(),
  },
  (table) => [uniqueIndex('attempt').on(table.messageId, table.version, table.session)],
);

/**
 * Ids that providers gave for messages which nobody can see yet: one row per message, of the plan number that made them. Workers
 * write it under their claim, and before it while they make a message ready: without ids in it, it says that one does. It is apart from
 * the messages so that keeping ids changes no row of theirs, and CDC sees nothing.
 */
export const keptIds = mysqlTable('kept_ids', {
  messageId: bigint({ mode: 'number', unsigned: true }).primaryKey(),
  planNumber: int({ unsigned: true }).notNull(),
  /** Of the payload for which they were made. */
  contentHash: bytes({ length: 32, fixed: true }).notNull(),
  /** JSON: texts by the channel's names for them; `{}` where they are being made. */
  ids: varchar({ length: 2048 }).notNull(),
  keptAt: instant().notNull(),
});

/** Credentials of accounts, encrypted; see secret-key.ts. */
export const accounts = mysqlTable(
  'accounts',
  {
    account: key({ length: 64 }).notNull(),
    channel: key({ length: 32 }).notNull(),
    secret: bytes({ length: 8448 }).notNull(),
    updatedAt: touched().notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.channel] })],
);

/** Whether an account may be used, as far as that is known: one without a row may. See account-states.ts. */
export const accountStates = mysqlTable(
  'account_states',
  {
    account: key({ length: 64 }).notNull(),
    channel: key({ length: 32 }).notNull(),
    /** Which of its credentials: +1 whenever a person says anew what is to be used. */
    generation: int({ unsigned: true }).notNull().default(0),
    /** `resuming`: usable, and its suspended messages are being scheduled again. `disabled`: by a person. */
    state: mysqlEnum(['usable', 'resuming', 'unusable', 'disabled']).notNull().default('usable'),
    since: instant(),
    reason: varchar({ length: 1024 }),
    /** When a person last kept back what was suspended: rows that were not written since stay suspended. */
    keptAt: timestamp({ fsp: 6, mode: 'string' }),
  },
  (table) => [primaryKey({ columns: [table.account, table.channel] }), index('by_state').on(table.state)],
);

/** Accounts whose credentials end, as far as that is known, and those that somebody wants refreshed. See secrets/account-refreshes.ts. */
export const accountRefreshes = mysqlTable(
  'account_refreshes',
  {
    account: key({ length: 64 }).notNull(),
    channel: key({ length: 32 }).notNull(),
    /** When its credentials end, where that is known. */
    expiresAt: instant(),
    /** When others are asked for; NULL: not before somebody asks for a refresh, or never. */
    refreshAt: instant(),
    /** Since when somebody waits, because the provider takes the credentials no more. */
    askedAt: instant(),
    /** When a refresh began of which no answer is written. */
    begunAt: instant(),
    refreshedAt: instant(),
    /** The session that refreshes it. */
    claim: session(),
    leaseUntil: instant(),
    /** Refreshes in a row that came to nothing, and why the last one did. */
    failures: smallint({ unsigned: true }).notNull().default(0),
    error: varchar({ length: 1024 }),
    /** 1: by the provider, for good. */
    refused: tinyint().notNull().default(0),
    /** How often since the last refresh the provider has refused, whether that is believed or not. */
    refusals: tinyint({ unsigned: true }).notNull().default(0),
    /** The end of what is not refreshed as it should be. */
    endsAt: instant().generatedAlwaysAs(
      sql`IF(failures > 0 OR (refresh_at IS NULL AND refused = 0), expires_at, NULL)`,
      { mode: 'virtual' },
    ),
  },
  (table) => [
    primaryKey({ columns: [table.account, table.channel] }),
    index('by_refresh').on(table.channel, table.refreshAt),
    index('by_failures').on(table.channel, table.failures),
    index('by_end').on(table.channel, table.endsAt),
    index('by_expiry').on(table.expiresAt),
  ],
);

/** What is paused: everything (both empty), a channel (account is empty) or one account of it. */
export const pauses = mysqlTable(
  'pauses',
  {
    channel: key({ length: 32 }).notNull(),
    account: key({ length: 64 }).notNull().default(''),
    pausedAt: instant().notNull(),
    /** When it ends by itself; NULL: when somebody resumes it. */
    untilAt: instant(),
    /** `kill` or `deploy`, which ends its own pause; empty: a person's. Each has a row, so that neither ends another's. */
    command: key({ length: 16 }).notNull().default(''),
  },
  (table) => [primaryKey({ columns: [table.channel, table.account, table.command] })],
);

/** The identity of this deployment: one row. The Kafka cluster and namespace are NULL until the first worker has come. */
export const deployment = mysqlTable('deployment', {
  id: session().primaryKey(),
  kafkaCluster: varchar({ length: 255 }),
  namespace: varchar({ length: 64 }),
  adoptedAt: instant(),
});

/** Up to where `downspout verify` has found nothing wrong: one row. */
export const verifyMark = mysqlTable('verify_mark', {
  id: tinyint().primaryKey(),
  messageId: bigint({ mode: 'number', unsigned: true }).notNull(),
  attemptId: bigint({ mode: 'number', unsigned: true }).notNull(),
  verifiedAt: instant().notNull(),
});

/** A deployed topology specification: what runs, what ran before, and who deployed it. */
export const releases = mysqlTable('releases', {
  number: int({ unsigned: true }).autoincrement().primaryKey(),
  /** topology.yaml with the environment's overrides merged in, as data and with its units, so that any version can read it. */
  specification: json().notNull(),
  /** Downspout's version that its workers run. */
  packageVersion: varchar({ length: 64 }).notNull(),
  image: varchar({ length: 255 }),
  /** Of the target `local`: the program that its workers run, where a host has it. */
  program: varchar({ length: 1024 }),
  target: mysqlEnum(['local', 'compose', 'kubernetes']).notNull(),
  /** `deploy`, `rollback to 3`, `scale webhook=6`. */
  reason: varchar({ length: 255 }).notNull(),
  who: varchar({ length: 255 }).notNull(),
  host: varchar({ length: 255 }).notNull(),
  createdAt: instant().notNull(),
  outcome: mysqlEnum(['deploying', 'live', 'superseded', 'failed', 'rolled_back']).notNull().default('deploying'),
  /** When the outcome became what it is. */
  endedAt: instant(),
  detail: varchar({ length: 1024 }),
  /** Whose overrides the specification has; empty: topology.yaml alone; null: not known, of a release from before this was kept. */
  environment: varchar({ length: 40 }),
});

/** Who is deploying now: at most one row, whose lease is renewed while the command lives. */
export const deployLock = mysqlTable('deploy_lock', {
  id: tinyint().primaryKey(),
  holder: session().notNull(),
  who: varchar({ length: 255 }).notNull(),
  host: varchar({ length: 255 }).notNull(),
  /** `deploy of release 7`. */
  doing: varchar({ length: 255 }).notNull(),
  since: instant().notNull(),
  leaseUntil: instant().notNull(),
});

/** One row per supervisor: a host, or rather a state folder of it, that runs workers of the target `local`. */
export const supervisors = mysqlTable('supervisors', {
  id: session().primaryKey(),
  host: varchar({ length: 255 }).notNull(),
  pid: int({ unsigned: true }).notNull(),
  version: varchar({ length: 64 }).notNull(),
  startedAt: instant().notNull(),
  leaseUntil: instant().notNull(),
  /** When it stopped in good order. */
  leftAt: instant(),
});

/** What a supervisor says of a placement. */
export interface ObservedWorker {
  /** Of the worker that is ready, or was last: while it is replaced, the old one until the new one is ready. */
  readonly releaseNumber: number | null;
  readonly restarts: number | null;
  readonly session: string | null;
  readonly pid: number | null;
  /** Which worker was wanted when the supervisor looked: what was asked for may be another one by now. Supervisors before this was said leave it out. */
  readonly wanted?: { readonly releaseNumber: number; readonly restarts: number };
  /**
   * How the wanted worker stands. `starting`: not ready yet. `draining`: it is ready, and the one before it is still ending.
   * `ready`: nothing is left to do. `waiting`: it died and is started again in a moment. `crash_looping`: it died three times
   * in a row or did not become ready in a minute; if another one ran before, that one goes on.
   */
  readonly state: 'starting' | 'ready' | 'draining' | 'waiting' | 'crash_looping';
  /** Deaths since the worker last lived for a while, and how the last one came about. */
  readonly deaths: number;
  readonly lastError: string | null;
  readonly logFile: string | null;
}

/** One row per worker that is to run on the target `local`: what the deployer asks for, and what its supervisor has made of it. */
export const placements = mysqlTable(
  'placements',
  {
    component: key({ length: 32 }).notNull(),
    /** From 1 on. */
    replica: smallint({ unsigned: true }).notNull(),
    /** The release that this worker is to run. */
    releaseNumber: int({ unsigned: true }).notNull(),
    /** +1 replaces the worker by a new one of the same release. */
    restarts: int({ unsigned: true }).notNull().default(0),
    /** Who runs it; NULL, or a supervisor whose lease is out: any supervisor may take it. */
    supervisor: session(),
    /** What runs now, as the supervisor last saw it. */
    observed: json().$type<ObservedWorker>(),
    observedAt: instant(),
  },
  (table) => [primaryKey({ columns: [table.component, table.replica] })],
);

/** What an account, or all of a channel together, has used of its limits. A row of which nothing was heard for long says nothing any more. */
export const accountLimits = mysqlTable(
  'account_limits',
  {
    channel: key({ length: 32 }).notNull(),
    /** Empty: the app of all accounts of a channel whose credentials can name none; behind U+0001: an app that they name, or nothing. */
    account: key({ length: 64 }).notNull(),
    used: json().$type<Used>(),
    /** Until then the provider takes nothing, as it said itself. */
    heldUntil: instant().notNull().default(0),
    /** Until then spouts emit nothing of it. */
    gateUntil: instant().notNull().default(0),
    changedAt: instant().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.channel, table.account] }),
    index('by_gate').on(table.gateUntil),
    index('by_change').on(table.changedAt),
  ],
);

/** What people changed: one row per verb that changed something. Secrets are never in it. */
export const audit = mysqlTable(
  'audit',
  {
    id: id(),
    at: instant().notNull(),
    who: varchar({ length: 255 }).notNull(),
    host: varchar({ length: 255 }).notNull(),
    /** `pause`, `messages redrive`, `deploy`. */
    verb: varchar({ length: 64 }).notNull(),
    /** What was changed: `webhook`, `message 42`, `release 7`. */
    subject: varchar({ length: 255 }).notNull(),
    valueBefore: json(),
    valueAfter: json(),
    /** `done`, or the error. */
    outcome: varchar({ length: 1024 }).notNull(),
  },
  (table) => [index('audit_at').on(table.at)],
);
