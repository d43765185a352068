import { randomBytes } from 'node:crypto';
import type { AccountRefreshes, Lifetime } from '../../../bolts/account-refreshes';
import type { ReadyRows } from '../../../bolts/ready-rows';
import type { SendLimits } from '../../../bolts/send-limits';
import type { SendRows } from '../../../bolts/send-rows';
import { thisAuthor } from '../../../connectors/mysql/audit/author';
import type { CancelAnswer, EditAnswer } from '../../../connectors/mysql/client/answers';
import { createClient } from '../../../connectors/mysql/client/client';
import { Operations } from '../../../connectors/mysql/operators/operations';
import { SuspendedMessages } from '../../../connectors/mysql/operators/suspended-messages';
import { MySqlAccountRefreshes } from '../../../connectors/mysql/secrets/account-refreshes';
import {
  type AccountState,
  AccountStates,
  advance,
  type ResumePolicy,
} from '../../../connectors/mysql/secrets/account-states';
import { SecretKey } from '../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../connectors/mysql/secrets/secret-store';
import { Pool } from '../../../connectors/mysql/sql/pool';
import { MySqlOpenRows } from '../../../connectors/mysql/workers/open-rows';
import { MySqlReadyRows } from '../../../connectors/mysql/workers/ready-rows';
import { MySqlSendLimits } from '../../../connectors/mysql/workers/send-limits';
import { MySqlSendRows } from '../../../connectors/mysql/workers/send-rows';
import { MySqlSuspendedRows } from '../../../connectors/mysql/workers/suspended-rows';
import { MySqlWorkerRegistry } from '../../../connectors/mysql/workers/worker-registry';
import type { OpenRows } from '../../../spouts/open-rows';
import type { SuspendedRows } from '../../../spouts/suspended-rows';
import { systemClock } from '../../../topology/core/clock';
import type { MessageState } from '../../../topology/message';
import type { WorkerRegistry } from '../../../topology/runtime/worker-registry';
import { required } from '../../../topology/settings/environment';
import { MemoryDatabase } from '../../support/mysql/memory-database';
import { type NewRow, wakeOf } from '../../support/mysql/memory-table';
import { freshDatabase } from '../../support/stack/stack';

/** What the battery looks at in a row. */
interface RowView {
  readonly state: MessageState;
  readonly version: number;
  readonly attempts: number;
  readonly inDoubt: boolean;
  readonly wakeAt: number | null;
  readonly session: string | null;
  readonly deliveredAt: number | null;
  readonly receipt: string | null;
  readonly lastError: string | null;
  readonly isLate: boolean;
}

interface EntryView {
  readonly version: number;
  readonly session: string;
  readonly outcome: string;
  readonly error: string | null;
}

/** The ports over one database, and what a test needs to set the scene and to look at it. */
export interface PortsWorld {
  readonly openRows: OpenRows;
  readonly sendRows: SendRows;
  readonly readyRows: ReadyRows;
  readonly sendLimits: (channel: string) => SendLimits;
  readonly registry: WorkerRegistry;
  readonly suspendedRows: SuspendedRows;
  readonly refreshes: AccountRefreshes;
  /** As `accounts set` does it, with when they end relative to now, milliseconds. */
  setCredentials(account: string, credentials: string, lifetime: Lifetime, policy?: ResumePolicy): Promise<void>;
  /** The newest of an account of `webhook`, which generation they are of, and why they may not be used, if so. */
  credentialsOf(account: string): Promise<{
    readonly credentials: string | undefined;
    readonly generation: number;
    readonly blocked: string | undefined;
  }>;
  /** What is said of the state of an account of `webhook`, and of nothing else: a new generation begins. */
  say(account: string, state: AccountState): Promise<void>;
  /** As `accounts enable` does it. */
  enable(account: string, policy?: ResumePolicy): Promise<void>;
  /** Its credentials were asked for and refreshed so long ago. */
  refreshedAgo(account: string, agoMs: number): Promise<void>;
  /** Its credentials cannot be opened any more. */
  spoil(account: string): Promise<void>;
  /** Whether somebody has a lease on the refresh of its credentials. */
  isLeased(account: string): Promise<boolean>;
  stateOf(account: string): Promise<AccountState>;
  /** By the database's clock. */
  now(): Promise<number>;
  insert(rows: readonly NewRow[]): Promise<number[]>;
  edit(id: number, change: { dueAt?: number; payload?: unknown; version?: number }): Promise<EditAnswer>;
  cancel(id: number): Promise<CancelAnswer>;
  /** A person has a suspended message sent. @returns false when it was not suspended */
  resume(id: number): Promise<boolean>;
  /** The same for one that failed. */
  redrive(id: number): Promise<boolean>;
  /** Changes the payload and forgets the version, as an application's own SQL may. */
  overwrite(id: number, payload: unknown): Promise<void>;
  /** Writes the version, as an application's own SQL may. */
  setVersion(id: number, version: number): Promise<void>;
  pause(channel: string | null, account?: string, inMs?: number): Promise<void>;
  /** As a command does that adds partitions. */
  pauseEmission(channel: string): Promise<void>;
  row(id: number): Promise<RowView>;
  ledger(id: number): Promise<EntryView[]>;
  /** Runs `work` while another transaction holds the row. */
  whileLocked<T>(id: number, work: () => Promise<T>): Promise<T>;
  /** The same with an account of `webhook`, whether anything was written of it or not. */
  whileAccountLocked<T>(account: string, work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function memoryWorld(): Promise<PortsWorld> {
  const database = new MemoryDatabase(systemClock);
  // The database's clock is another one.
  database.skew = 3_600_000;
  const rowOf = (id: number) => {
    const row = database.rows.get(id);
    if (row === undefined) throw new Error(`no row ${id}`);
    return row;
  };
  return {
    openRows: database.openRows(),
    sendRows: database.sendRows(),
    readyRows: database.readyRows(),
    sendLimits: (channel) => database.sendLimits(channel),
    registry: database.registry(),
    suspendedRows: database.suspendedRows(),
    refreshes: database.refreshes,
    async setCredentials(account, credentials, lifetime, policy) {
      database.accounts.set({ account, channel: 'webhook' }, [credentials], policy);
      database.refreshes.set(account, 'webhook', fromNow(lifetime, database.now()));
    },
    async credentialsOf(account) {
      const known = database.accounts.stored('webhook', [account]).get(account);
      const secrets = known?.secrets instanceof Error ? undefined : known?.secrets;
      return { credentials: secrets?.[0], generation: known?.generation ?? 0, blocked: known?.blocked };
    },
    say: async (account, state) => database.accounts.say({ account, channel: 'webhook' }, state),
    async enable(account, policy) {
      database.accounts.enable({ account, channel: 'webhook' }, policy);
      database.refreshes.again(account, 'webhook');
    },
    async refreshedAgo(account, agoMs) {
      const at = database.now() - agoMs;
      Object.assign(database.refreshes.of(account, 'webhook') ?? {}, { askedAt: at, refreshedAt: at });
    },
    spoil: async (account) => database.accounts.say({ account, channel: 'webhook' }, 'usable', []),
    isLeased: async (account) => (database.refreshes.of(account, 'webhook')?.leaseUntil ?? 0) > database.now(),
    stateOf: async (account) => database.accounts.stateOf({ account, channel: 'webhook' }),
    now: async () => database.now(),
    insert: async (rows) => rows.map((row) => database.insert(row).id),
    edit: async (id, change) => database.edit(id, change),
    cancel: async (id) => database.cancel(id),
    resume: async (id) => database.resume(id),
    redrive: async (id) => database.redrive(id),
    overwrite: async (id, payload) => database.overwrite(id, payload),
    async setVersion(id, version) {
      rowOf(id).version = version;
    },
    async pause(channel, account, inMs) {
      if (channel === null) database.deactivated = true;
      else if (account === undefined) database.pausedChannels.add(channel);
      else {
        const untilAt = inMs === undefined ? null : database.now() + inMs;
        const others = database.pausedAccounts.filter((one) => one.channel !== channel || one.account !== account);
        database.pausedAccounts = [...others, { channel, account, untilAt }];
      }
    },
    async pauseEmission(channel) {
      database.emissionPausedChannels.add(channel);
    },
    async row(id) {
      const row = rowOf(id);
      const { state, version, attempts, inDoubt, claim: session, deliveredAt, receipt, lastError, isLate } = row;
      const view = { state, version, attempts, inDoubt, session, deliveredAt, receipt, lastError, isLate };
      return { ...view, wakeAt: wakeOf(row) };
    },
    ledger: async (id) =>
      database.ledger
        .filter((entry) => entry.id === id)
        .map(({ version, session, outcome }) => ({
          version,
          session,
          outcome: outcome.kind,
          error: outcome.kind === 'delivered' ? null : outcome.reason,
        })),
    async whileLocked(id, work) {
      database.locked.add(id);
      try {
        return await work();
      } finally {
        database.locked.delete(id);
      }
    },
    whileAccountLocked: (account, work) => database.accounts.whileHeld({ account, channel: 'webhook' }, work),
    close: async () => {},
  };
}

/** The ports as the workers' user, changes as the application's, and the administrator to set the scene. */
export async function mysqlWorld(): Promise<PortsWorld> {
  const database = await freshDatabase();
  const open = (name: 'WORKER_DATABASE_URL' | 'DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(database.environment, name), { clock: systemClock, size: 4 });
  const [worker, app, admin] = [open('WORKER_DATABASE_URL'), open('DATABASE_URL'), open('ADMIN_DATABASE_URL')];
  const client = createClient(required(database.environment, 'DATABASE_URL'));
  const operations = new Operations(app);
  const key = SecretKey.from({ DOWNSPOUT_SECRET_KEY: randomBytes(32).toString('base64') });
  const now = async () => {
    const [row] = await app.rows<[string]>('SELECT UNIX_TIMESTAMP(NOW(3))');
    return Math.round(Number(row?.[0]) * 1000);
  };
  // Long enough ago that every worker knows it.
  const setLongAgo = (account: string) =>
    admin.run(`UPDATE account_states SET since=since - 10000 WHERE account='${account}'`);
  const show = async (id: number) => {
    const shown = await operations.show({ id });
    if (shown === null) throw new Error(`no row ${id}`);
    return shown;
  };
  return {
    openRows: new MySqlOpenRows(worker),
    sendRows: new MySqlSendRows(worker),
    readyRows: new MySqlReadyRows(worker),
    sendLimits: (channel) => new MySqlSendLimits(worker, channel),
    registry: new MySqlWorkerRegistry(worker, systemClock),
    suspendedRows: new MySqlSuspendedRows(worker),
    refreshes: new MySqlAccountRefreshes(worker, key),
    async setCredentials(account, credentials, lifetime, policy) {
      const own = fromNow(lifetime, await now());
      const resume = policy === undefined ? {} : { resume: policy };
      await new SecretStore(app, key).set(account, 'webhook', credentials, { replace: true, lifetime: own, ...resume });
      await setLongAgo(account);
    },
    async credentialsOf(account) {
      const known = (await new SecretStore(worker, key).accountsOf('webhook', [account])).get(account);
      const secrets = known?.secrets instanceof Error ? undefined : known?.secrets;
      return { credentials: secrets?.[0], generation: known?.generation ?? 0, blocked: known?.blocked };
    },
    async say(account, state) {
      await app.use((sql) => advance(sql, { account, channel: 'webhook' }, state));
      await setLongAgo(account);
    },
    async enable(account, policy) {
      await new AccountStates(app).enable(account, 'webhook', policy);
      await setLongAgo(account);
    },
    async refreshedAgo(account, agoMs) {
      const at = (await now()) - agoMs;
      await admin.run(`UPDATE account_refreshes SET asked_at=${at}, refreshed_at=${at} WHERE account='${account}'`);
    },
    async spoil(account) {
      await admin.run(`UPDATE accounts SET secret=0x00 WHERE account='${account}'`);
    },
    async isLeased(account) {
      const rows = await admin.rows(
        `SELECT 1 FROM account_refreshes WHERE account='${account}' AND lease_until IS NOT NULL`,
      );
      return rows.length > 0;
    },
    stateOf: (account) => new AccountStates(app).of(account, 'webhook'),
    now,
    async insert(rows) {
      const answers = await client.schedule(
        rows.map(({ account, payload, dueAt, sendWithinMs, onLate }) => ({
          account: account ?? 'account',
          channel: 'webhook' as const,
          payload: (payload ?? { url: 'http://127.0.0.1/', body: null }) as { url: string; body: unknown },
          dueAt,
          ...(sendWithinMs === undefined ? {} : { sendWithin: sendWithinMs }),
          ...(onLate === undefined ? {} : { onLate }),
        })),
      );
      return answers.map(({ id }) => id);
    },
    edit: (id, change) => client.edit({ id, ...change }),
    cancel: (id) => client.cancel({ id }),
    async resume(id) {
      const [answer] = await new SuspendedMessages(app, thisAuthor()).resumeThese([{ id }]);
      return answer?.result === 'resumed';
    },
    redrive: async (id) => (await client.redrive(id)).result === 'redriven',
    async overwrite(id, payload) {
      const json = JSON.stringify(payload).replaceAll("'", "''");
      await admin.run(`UPDATE scheduled_messages SET payload='${json}' WHERE id=${id}`);
    },
    async setVersion(id, version) {
      await admin.run(`UPDATE scheduled_messages SET version=${version} WHERE id=${id}`);
    },
    async pause(channel, account, inMs) {
      await operations.pause({ channel, account: account ?? null }, inMs === undefined ? undefined : { inMs });
    },
    async pauseEmission(channel) {
      await admin.run(
        `INSERT INTO pauses (channel, account, command, paused_at, until_at) VALUES ('${channel}', '', 'deploy', 1, 4102444800000)`,
      );
    },
    async row(id) {
      const { message } = await show(id);
      const { state, version, attempts, inDoubt, wakeAt, session, deliveredAt, receipt, lastError, isLate } = message;
      return { state, version, attempts, inDoubt, wakeAt, session, deliveredAt, receipt, lastError, isLate };
    },
    ledger: async (id) =>
      (await show(id)).attempts.map(({ version, session, outcome, error }) => ({ version, session, outcome, error })),
    whileLocked: (id, work) =>
      admin.transaction(async (sql) => {
        await sql.rows(`SELECT id FROM scheduled_messages WHERE id=${id} FOR UPDATE`);
        return work();
      }),
    whileAccountLocked: (account, work) =>
      admin.transaction(async (sql) => {
        const name = `('${account}', 'webhook')`;
        await sql.run(
          `INSERT INTO account_states (account, channel) VALUES ${name} ON DUPLICATE KEY UPDATE since=since`,
        );
        return work();
      }),
    async close() {
      await Promise.all([client.close(), worker.close(), app.close(), admin.close()]);
      await database.close();
    },
  };
}

function fromNow({ expiresAt, refreshAt }: Lifetime, now: number): Lifetime {
  return {
    expiresAt: expiresAt === null ? null : now + expiresAt,
    refreshAt: refreshAt === null ? null : now + refreshAt,
  };
}
