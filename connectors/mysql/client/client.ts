import { systemClock } from '../../../topology/core/clock';
import { UserError } from '../../../topology/core/errors';
import type { ChannelName } from '../../../topology/payloads';
import { type CallerConnection, CallerExecutor, type Executor, PoolExecutor } from '../sql/executor';
import { Pool } from '../sql/pool';
import type { CancelAnswer, EditAnswer, RedriveAnswer, ResolveAnswer } from './answers';
import { cancelAll, editAll } from './change';
import { checkMessage, checkResolution, type Edit, type NewMessage, type Resolution, type Target } from './input';
import { getAll, type Message } from './messages';
import { type OutcomePage, outcomesSince } from './outcomes';
import { redriveAll, resolveAll } from './resolve';
import { type ScheduleAnswer, scheduleAll } from './schedule';

export { BadRecord, Unavailable, UserError } from '../../../topology/core/errors';
export type { MessageId, MessageState } from '../../../topology/message';
export type { ChannelName, Payload } from '../../../topology/payloads';
export type { CallerConnection } from '../sql/executor';
export type { CancelAnswer, EditAnswer, RedriveAnswer, Refusal, ResolveAnswer } from './answers';
export type { Edit, NewMessage, Resolution, Target, Time } from './input';
export type { Message } from './messages';
export type { MessageOutcome, OutcomePage } from './outcomes';
export type { ScheduleAnswer } from './schedule';

export interface ClientOptions {
  /** Connections at most, when the client makes its own. */
  readonly connections?: number;
}

/** Seconds to wait for a row that is just being claimed or written back, or that another transaction holds. */
const LOCK_WAIT = 10;
const MOST_OUTCOMES = 10_000;

/**
 * Schedules, edits and cancels messages. Every call takes one or many; an array is answered in its order, and all of it
 * happens or nothing.
 *
 * What is expected to happen is answered; what is thrown says what to do: UserError (a field is wrong, and which),
 * Unavailable (nothing was promised; try again: with a dedupe key, scheduling twice is scheduling once).
 */
export class Client {
  /** @see createClient */
  constructor(
    private readonly executor: Executor,
    private readonly pool: Pool | null,
  ) {}

  schedule<C extends ChannelName>(message: NewMessage<C>): Promise<ScheduleAnswer>;
  schedule(messages: readonly NewMessage[]): Promise<ScheduleAnswer[]>;
  async schedule(given: NewMessage | readonly NewMessage[]): Promise<ScheduleAnswer | ScheduleAnswer[]> {
    return this.oneOrMany(given, checkMessage, (session, messages) => scheduleAll(session, messages));
  }

  /** Only a message that still waits can be edited. A new due time clears a pending retry; attempts start again. */
  edit(edit: Edit): Promise<EditAnswer>;
  edit(edits: readonly Edit[]): Promise<EditAnswer[]>;
  async edit(given: Edit | readonly Edit[]): Promise<EditAnswer | EditAnswer[]> {
    return this.oneOrMany(given, (edit) => edit, editAll);
  }

  /** After `canceled` no request for the message starts. */
  cancel(target: Target): Promise<CancelAnswer>;
  cancel(targets: readonly Target[]): Promise<CancelAnswer[]>;
  async cancel(given: Target | readonly Target[]): Promise<CancelAnswer | CancelAnswer[]> {
    return this.oneOrMany(given, (target) => target, cancelAll);
  }

  /**
   * What a person decided about `uncertain` messages: the provider has it, or it is sent again although the provider may
   * have it. Needs a client of WORKER_DATABASE_URL: what came of a message is not the application's to write.
   */
  resolve(resolution: Resolution): Promise<ResolveAnswer>;
  resolve(resolutions: readonly Resolution[]): Promise<ResolveAnswer[]>;
  async resolve(given: Resolution | readonly Resolution[]): Promise<ResolveAnswer | ResolveAnswer[]> {
    return this.oneOrMany(given, checkResolution, resolveAll);
  }

  /** Sends `failed` messages again, now; attempts start again. */
  redrive(target: Target): Promise<RedriveAnswer>;
  redrive(targets: readonly Target[]): Promise<RedriveAnswer[]>;
  async redrive(given: Target | readonly Target[]): Promise<RedriveAnswer | RedriveAnswer[]> {
    return this.oneOrMany(given, (target) => target, redriveAll);
  }

  /** The message as it stands, or null. */
  get(target: Target): Promise<Message | null>;
  get(targets: readonly Target[]): Promise<(Message | null)[]>;
  async get(given: Target | readonly Target[]): Promise<Message | null | (Message | null)[]> {
    return this.oneOrMany(given, (target) => target, getAll);
  }

  /**
   * What became of the messages, page by page, each at least once and none left out; see {@link outcomesSince}.
   * @param since `next` of the page before; from the beginning when it is not given
   * @throws UserError on a client of the caller's own connection, whose transaction may look at an earlier time
   */
  async outcomes(since?: string, limit = 1_000): Promise<OutcomePage> {
    if (this.pool === null) throw new UserError('outcomes: make the client from a URL, not from a connection');
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST_OUTCOMES) {
      throw new UserError(`limit: expected 1 to ${MOST_OUTCOMES}, got ${limit}`);
    }
    return outcomesSince(this.pool, since, limit);
  }

  /** Closes the connections that the client made; the caller's own stay open. */
  async close(): Promise<void> {
    await this.pool?.close();
  }

  private async oneOrMany<Given, Checked, Answer>(
    given: Given | readonly Given[],
    check: (one: Given) => Checked,
    run: (session: Parameters<Parameters<Executor['atomically']>[0]>[0], many: readonly Checked[]) => Promise<Answer[]>,
  ): Promise<Answer | Answer[]> {
    const many = isMany(given);
    const checked = many ? given.map((one, index) => named(index, () => check(one))) : [check(given)];
    if (checked.length === 0) return [];
    const answers = await this.executor.atomically((session) => run(session, checked));
    return many ? answers : (answers[0] as Answer);
  }
}

/**
 * Makes a client from a URL (`mysql://user:password@host:port/database`; close it in the end), or from the caller's own
 * mysql2 connection or pool. On a connection with an open transaction everything the client does is part of that
 * transaction: the message is scheduled when the caller commits, together with whatever it belongs to.
 */
export function createClient(target: string | CallerConnection, options: ClientOptions = {}): Client {
  if (typeof target !== 'string') return new Client(new CallerExecutor(target), null);
  const pool = Pool.open(target, {
    clock: systemClock,
    size: options.connections ?? 8,
    lockWait: LOCK_WAIT,
    timeout: 30_000,
  });
  return new Client(new PoolExecutor(pool), pool);
}

function isMany<T>(given: T | readonly T[]): given is readonly T[] {
  return Array.isArray(given);
}

/** Says which of many was wrong. */
function named<T>(index: number, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`[${index}].${error.message}`);
    throw error;
  }
}
