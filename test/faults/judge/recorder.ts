import type {
  CancelAnswer,
  Client,
  Edit,
  EditAnswer,
  NewMessage,
  ScheduleAnswer,
} from '../../../connectors/mysql/client/client';
import { UserError } from '../../../connectors/mysql/client/client';
import type { Clock } from '../../../topology/core/clock';
import { webhookContent } from './content';
import type { ClientOperation } from './history';

/** What is asked of one message. */
type Asked = Pick<ClientOperation, 'kind' | 'id' | 'content' | 'dueAt'>;
/** What was answered about it. */
type Answered = Partial<Pick<ClientOperation, 'id'>> & { readonly result: 'ok' | 'fail' };

/** A client that writes down what it asked, when, and what it was told: the second witness. Any number may share one. */
export class RecordingClient {
  readonly history: ClientOperation[] = [];

  constructor(
    private readonly client: Client,
    private readonly clock: Pick<Clock, 'now'>,
    private readonly contentOf: (payload: unknown) => string = webhookContent,
  ) {}

  schedule(messages: readonly (NewMessage & { readonly dueAt: number })[]): Promise<ScheduleAnswer[]> {
    const asked = messages.map(({ payload, dueAt }) => ({
      kind: 'schedule' as const,
      id: undefined,
      content: this.contentOf(payload),
      dueAt,
    }));
    return this.record(
      asked,
      () => this.client.schedule(messages),
      ({ id, result }) => ({ id, result: result === 'scheduled' ? 'ok' : 'fail' }),
    );
  }

  edit(
    edits: readonly {
      readonly id: number;
      readonly payload?: unknown;
      readonly dueAt?: number;
      readonly version?: number;
    }[],
  ): Promise<EditAnswer[]> {
    const asked = edits.map(({ id, payload, dueAt }) => ({
      kind: 'edit' as const,
      id,
      ...(payload === undefined ? {} : { content: this.contentOf(payload) }),
      ...(dueAt === undefined ? {} : { dueAt }),
    }));
    return this.record(
      asked,
      () => this.client.edit(edits as readonly Edit[]),
      ({ result }) => ({ result: result === 'edited' ? 'ok' : 'fail' }),
    );
  }

  cancel(ids: readonly number[]): Promise<CancelAnswer[]> {
    return this.record(
      ids.map((id) => ({ kind: 'cancel' as const, id })),
      () => this.client.cancel(ids.map((id) => ({ id }))),
      ({ result }) => ({ result: result === 'canceled' ? 'ok' : 'fail' }),
    );
  }

  /**
   * Writes down anything else that is asked of messages, such as plain SQL. One answer for each that is asked.
   * @throws what `work` throws: UserError means that nothing was done, after anything else that is unknown
   */
  async record<Answer>(
    asked: readonly Asked[],
    work: () => Promise<Answer[]>,
    judged: (answer: Answer) => Answered,
  ): Promise<Answer[]> {
    const invokedAt = this.clock.now();
    const from = this.history.length;
    // Before the answer comes, and when it never comes, it is unknown.
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

  private end(from: number, asked: readonly Asked[], answers: readonly Answered[]): void {
    const endedAt = this.clock.now();
    for (const index of asked.keys()) {
      const invoked = this.history[from + index] as ClientOperation;
      this.history[from + index] = { ...invoked, ...answers[index], endedAt };
    }
  }
}
