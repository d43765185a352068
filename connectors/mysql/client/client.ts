import { systemClock } from '../../../topology/core/clock';
import { UserError } from '../../../topology/core/errors';
import { shortJson } from '../../../topology/core/short-json';
import type { MessageId } from '../../../topology/message';
import type { GivenChannel, Schemas } from '../../../topology/payloads/given-channel';
import type { OutputOf } from '../../../topology/payloads/object-schema';
import { type ChannelName, type Payload, payloads } from '../../../topology/payloads/payloads';
import { type Author, thisAuthor } from '../audit/author';
import { type CallerConnection, CallerExecutor, type Executor, PoolExecutor } from '../sql/executor';
import { NOW_MS } from '../sql/literals';
import { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import type { CancelAnswer, EditAnswer, RedriveAnswer, ResolveAnswer } from './answers';
import { cancelAll, editAll } from './change';
import { type ClientOptions, checkClientOptions, isConnection, noTarget } from './client-options';
import {
  checkEdit,
  checkMessage,
  checkResolution,
  type Decision,
  type Edit,
  type EditChange,
  type MessageName,
  type NewMessage,
  type Resolution,
  targetOf,
} from './input';
import { getAll, type Message } from './messages';
import { type OutcomePage, outcomesSince } from './outcomes';
import { redriveAll, resolveAll } from './resolve';
import { type OnExisting, type ScheduleAnswer, scheduleAll } from './schedule';

export { BadRecord, Unavailable, UserError } from '../../../topology/core/errors';
export type { OnLate } from '../../../topology/core/lateness';
export type { MessageId, MessageState } from '../../../topology/message';
export type { GivenChannel } from '../../../topology/payloads/given-channel';
export type { ChannelName, Payload } from '../../../topology/payloads/payloads';
export type { CallerConnection } from '../sql/executor';
export type { CancelAnswer, EditAnswer, RedriveAnswer, Refusal, ResolveAnswer } from './answers';
export type { ClientOptions } from './client-options';
export type {
  Decision,
  Edit,
  EditChange,
  MessageName,
  NewMessage,
  Resolution,
  SendWithin,
  Target,
  Time,
} from './input';
export type { Message } from './messages';
export type { MessageOutcome, OutcomePage } from './outcomes';
export type { OnExisting, ScheduleAnswer } from './schedule';

export interface ScheduleOptions {
  /** `keep` unless given. */
  readonly onExisting?: OnExisting;
}

/** What messages contain, by their channel: ours, and those that `createClient` was given. */
export type PayloadsOf<Given extends readonly GivenChannel[]> = { readonly [C in ChannelName]: Payload<C> } & {
  readonly [One in Given[number] as string extends One['name'] ? never : One['name']]: OutputOf<One['payload']>;
};

/** A worker holds a row for milliseconds, while it claims or writes back; another application may hold it for longer. */
const LOCK_WAIT_SECONDS = 10;
/** MySQL's own: an application may be frozen between two requests, as functions are, and its connections should survive that. */
const SILENCE_SECONDS = 28_800;
const MAX_OUTCOMES_PER_PAGE = 10_000;

/**
 * Schedules, edits and cancels messages. Every call takes one message or an array; a message is named by its id, or by its
 * account and dedupe key. An array is answered in its order, and
 * either all of it happens or none of it. It is one transaction, so payloads of more than 128 MiB at once are refused, as little as
 * 64 MiB where messages change that are there.
 *
 * Every edit, cancel, replacement, resolution and redrive leaves an audit row in its transaction (`downspout audit`).
 *
 * Expected results are answers. What is thrown says what to do: a UserError names the field that is wrong; after
 * Unavailable nothing was promised, so try again: with a dedupe key, scheduling twice is scheduling once.
 */
export class Client<Known extends object = PayloadsOf<readonly []>> {
  /** @see createClient */
  constructor(
    private readonly executor: Executor,
    private readonly pool: Pool | null,
    private readonly author: Author = thisAuthor(),
    private readonly schemas: Schemas = payloads,
  ) {}

  /** With a dedupe key scheduling twice is scheduling once; see {@link OnExisting} for a message that has ended. */
  schedule<C extends keyof Known & string>(
    message: NewMessage<C, Known[C]>,
    options?: ScheduleOptions,
  ): Promise<ScheduleAnswer>;
  schedule(
    messages: readonly NewMessage<keyof Known & string, Known[keyof Known]>[],
    options?: ScheduleOptions,
  ): Promise<ScheduleAnswer[]>;
  async schedule(
    given: NewMessage<string> | readonly NewMessage<string>[],
    { onExisting = 'keep' }: ScheduleOptions = {},
  ): Promise<ScheduleAnswer | ScheduleAnswer[]> {
    if ((onExisting as string) !== 'keep' && onExisting !== 'replace') {
      throw new UserError(`onExisting: expected keep or replace, got ${shortJson(onExisting)}`);
    }
    const check = (message: NewMessage<string>) => checkMessage(message, this.schemas);
    return this.oneOrMany(given, check, (sql, messages) => scheduleAll(sql, this.author, messages, onExisting));
  }

  /**
   * Only a message that still waits can be edited. A new due time clears a pending retry; attempts start again; a suspended one is
   * scheduled. A late one is sent if it is in time by its new plan.
   */
  edit(message: MessageId, change: EditChange): Promise<EditAnswer>;
  edit(edit: Edit): Promise<EditAnswer>;
  edit(edits: readonly Edit[]): Promise<EditAnswer[]>;
  async edit(one: MessageId | Edit | readonly Edit[], change?: EditChange): Promise<EditAnswer | EditAnswer[]> {
    const given = change === undefined ? (one as Edit | readonly Edit[]) : { ...targetOf(one), ...change };
    return this.oneOrMany(given, checkEdit, (sql, edits) => editAll(sql, this.author, edits, this.schemas));
  }

  /** After `canceled` no request for the message starts. */
  cancel(message: MessageName): Promise<CancelAnswer>;
  cancel(messages: readonly MessageName[]): Promise<CancelAnswer[]>;
  async cancel(given: MessageName | readonly MessageName[]): Promise<CancelAnswer | CancelAnswer[]> {
    return this.oneOrMany(given, targetOf, (sql, targets) => cancelAll(sql, this.author, targets));
  }

  /**
   * Settles `uncertain` messages as a person decided: the provider has the message, or it is sent again although the
   * provider may have it. The client must be made from OPERATOR_DATABASE_URL or WORKER_DATABASE_URL, because an
   * application's user may not write what came of a message.
   */
  resolve(message: MessageId, decision: Decision): Promise<ResolveAnswer>;
  resolve(resolution: Resolution): Promise<ResolveAnswer>;
  resolve(resolutions: readonly Resolution[]): Promise<ResolveAnswer[]>;
  async resolve(
    one: MessageId | Resolution | readonly Resolution[],
    decision?: Decision,
  ): Promise<ResolveAnswer | ResolveAnswer[]> {
    const given =
      decision === undefined ? (one as Resolution | readonly Resolution[]) : { ...targetOf(one), ...decision };
    return this.oneOrMany(given, checkResolution, (sql, decisions) => resolveAll(sql, this.author, decisions));
  }

  /** Sends `failed` messages again, now; attempts start again, and so does the time in which they may be sent. */
  redrive(message: MessageName): Promise<RedriveAnswer>;
  redrive(messages: readonly MessageName[]): Promise<RedriveAnswer[]>;
  async redrive(given: MessageName | readonly MessageName[]): Promise<RedriveAnswer | RedriveAnswer[]> {
    return this.oneOrMany(given, targetOf, (sql, targets) => redriveAll(sql, this.author, targets));
  }

  /** The message as it stands, or null. */
  get(message: MessageName): Promise<Message | null>;
  get(messages: readonly MessageName[]): Promise<(Message | null)[]>;
  async get(given: MessageName | readonly MessageName[]): Promise<Message | null | (Message | null)[]> {
    return this.oneOrMany(given, targetOf, getAll);
  }

  /**
   * What became of the messages, page by page. No message is left out; some may appear twice. See {@link outcomesSince}.
   * @param since `next` of the page before; from the beginning when it is not given
   * @throws UserError when the client works on the caller's connection, because its transaction may read an earlier state
   */
  async outcomes(since?: string, limit = 1_000): Promise<OutcomePage> {
    if (this.pool === null) throw new UserError('outcomes: make the client from a URL, not from a connection');
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_OUTCOMES_PER_PAGE) {
      throw new UserError(`limit: expected 1 to ${MAX_OUTCOMES_PER_PAGE}, got ${limit}`);
    }
    return outcomesSince(this.pool, since, limit);
  }

  /** Epoch milliseconds by the database's clock, which decides when a message is due. */
  now(): Promise<number> {
    return this.executor.atomically(async (sql) => {
      const [[now] = [0]] = await sql.rows<[number | string]>(`SELECT ${NOW_MS}`);
      return Number(now);
    });
  }

  /** Closes the connections that the client made; the caller's own stay open. */
  async close(): Promise<void> {
    await this.pool?.close();
  }

  private async oneOrMany<Given, Checked, Answer>(
    given: Given | readonly Given[],
    check: (one: Given) => Checked,
    run: (sql: Sql, many: readonly Checked[]) => Promise<Answer[]>,
  ): Promise<Answer | Answer[]> {
    const many = isMany(given);
    const checked = many ? given.map((one, index) => named(index, () => check(one))) : [check(given)];
    if (checked.length === 0) return [];
    const answers = await this.executor.atomically((sql) => run(sql, checked));
    return many ? answers : (answers[0] as Answer);
  }
}

/**
 * Makes a client from a URL (`mysql://user:password@host:port/database`), which the caller must close, or from the
 * caller's own mysql2 connection or pool. If the connection has an open transaction, everything the client does is part of
 * it: the message is scheduled when the caller commits, together with the caller's own rows.
 * In one that goes on reading an earlier state (REPEATABLE READ, MySQL's own) a key names a message only if that state has it, because
 * looking for what came later would keep others from inserting; an id always does.
 *
 * The URL is usually `process.env.DATABASE_URL`, and may be undefined so that this call is the one that says so.
 * @throws UserError naming the setting that is missing or wrong
 */
export function createClient<const Given extends readonly GivenChannel[] = readonly []>(
  target: string | CallerConnection | undefined,
  options: ClientOptions<Given> = {},
): Client<PayloadsOf<Given>> {
  const schemas = checkClientOptions(options);
  const author = thisAuthor(options.who);
  if (isConnection(target)) return new Client(new CallerExecutor(target), null, author, schemas);
  if (typeof target !== 'string' || target.trim() === '') throw noTarget(target);
  const pool = Pool.open(target, {
    clock: systemClock,
    size: options.connections ?? 8,
    lockWaitSeconds: LOCK_WAIT_SECONDS,
    timeoutMs: 30_000,
    silenceSeconds: SILENCE_SECONDS,
  });
  return new Client(new PoolExecutor(pool), pool, author, schemas);
}

function isMany<T>(given: T | readonly T[]): given is readonly T[] {
  return Array.isArray(given);
}

/** Adds the place in the array to an error. */
function named<T>(index: number, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`[${index}].${error.message}`);
    throw error;
  }
}
