import type {
  CancelAnswer,
  Client,
  Edit,
  EditAnswer,
  NewMessage,
  ScheduleAnswer,
  Target,
} from '../../../connectors/mysql/client/client';
import { UserError } from '../../../connectors/mysql/client/client';
import type { Clock } from '../../../topology/core/clock';
import { webhookContent } from './content';
import type { ClientOperation } from './history';

/** What is asked of one message. */
type Asked = Pick<ClientOperation, 'kind' | 'id' | 'key' | 'content' | 'dueAt'>;
/** What was answered about it. */
type Answered = Partial<Pick<ClientOperation, 'id'>> & { readonly result: 'ok' | 'fail' };

/**
 * The second witness: a client that records what it asked, when, and what the answer was. Any number of applications may
 * share one.
 */
export class RecordingClient {
  readonly history: ClientOperation[] = [];

  constructor(
    private readonly client: Client,
    private readonly clock: Pick<Clock, 'now'>,
    private readonly contentOf: (payload: unknown) => string = webhookContent,
  ) {}

  schedule(messages: readonly (NewMessage & { readonly dueAt: number })[]): Promise<ScheduleAnswer[]> {
    const asked = messages.map(({ payload, dueAt, dedupeKey }) => ({
      kind: 'schedule' as const,
      id: undefined,
      ...(dedupeKey === undefined ? {} : { key: dedupeKey }),
      content: this.contentOf(payload),
      dueAt,
    }));
    return this.record(
      asked,
      () => this.client.schedule(messages),
      ({ id, result }) => ({ id, result: result === 'scheduled' ? 'ok' : 'fail' }),
    );
  }

  edit(edits: readonly (Edit & { readonly dueAt?: number })[]): Promise<EditAnswer[]> {
    const asked = edits.map((edit) => ({
      kind: 'edit' as const,
      ...named(edit),
      ...(edit.payload === undefined ? {} : { content: this.contentOf(edit.payload) }),
      ...(edit.dueAt === undefined ? {} : { dueAt: edit.dueAt }),
    }));
    return this.record(
      asked,
      () => this.client.edit(edits),
      ({ result }) => ({ result: result === 'edited' ? 'ok' : 'fail' }),
    );
  }

  cancel(targets: readonly Target[]): Promise<CancelAnswer[]> {
    return this.record(
      targets.map((target) => ({ kind: 'cancel' as const, ...named(target) })),
      () => this.client.cancel(targets),
      ({ result }) => ({ result: result === 'canceled' ? 'ok' : 'fail' }),
    );
  }

  /**
   * Records anything else that is asked of messages, such as plain SQL. There is one answer for each that is asked.
   * @throws what `work` throws: after a UserError nothing was done, after anything else that is unknown
   */
  async record<Answer>(
    asked: readonly Asked[],
    work: () => Promise<Answer[]>,
    judged: (answer: Answer) => Answered,
  ): Promise<Answer[]> {
    const invokedAt = this.clock.now();
    const from = this.history.length;
    // Until the answer comes, and for ever when it does not come, the result is unknown.
    for (const one of asked)
      this.history.push({ ...one, invokedAt, endedAt: Number.POSITIVE_INFINITY, result: 'unknown' });
    try {
      const answers = await work();
      this.end(from, asked, answers.map(judged));
      return answers;
    } catch (error) {
      if (error instanceof UserError)
        this.end(
          from,
          asked,
          asked.map(() => ({ result: 'fail' })),
        );
      throw error;
    }
  }

  /** The history when everything is over. @param idOf of a dedupe key, as the table has it */
  historyWith(idOf: (key: string) => number | undefined): ClientOperation[] {
    return this.history.map((one) => ({ ...one, id: one.id ?? (one.key === undefined ? undefined : idOf(one.key)) }));
  }

  private end(from: number, asked: readonly Asked[], answers: readonly Answered[]): void {
    const endedAt = this.clock.now();
    for (const index of asked.keys()) {
      const invoked = this.history[from + index] as ClientOperation;
      this.history[from + index] = { ...invoked, ...answers[index], endedAt };
    }
  }
}

function named(target: Target): Pick<ClientOperation, 'id' | 'key'> {
  return 'id' in target ? { id: target.id } : { id: undefined, key: target.dedupeKey };
}
