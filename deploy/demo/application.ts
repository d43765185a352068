import type { Clock } from '../../topology/core/clock';
import type { ChannelName, Payload } from '../../topology/payloads/payloads';
import type { DemoScript, ScriptedChange, ScriptedMessage } from './demo-script';
import type { Told, ToldPlan } from './judge';

/** What one message looks like to the client. `dueAt` is epoch milliseconds. */
export interface ScheduledContent {
  readonly channel: ChannelName;
  readonly dueAt: number;
  readonly payload: Payload;
}

/** What a plan of a message is to say. @param dueAt epoch milliseconds */
export type Writing = (message: ScriptedMessage, revision: number, dueAt: number) => Payload;

/** What the application needs of the client. Answers come in the order of what was given. */
export interface Scheduling {
  schedule(messages: readonly (ScheduledContent & { key: string; account: string })[]): Promise<void>;
  edit(edits: readonly (ScheduledContent & { key: string; account: string })[]): Promise<('edited' | 'too_late')[]>;
  cancel(messages: readonly { key: string; account: string }[]): Promise<('canceled' | 'too_late')[]>;
}

interface Written {
  readonly message: ScriptedMessage;
  readonly plans: ToldPlan[];
  canceledAt: number | null;
}

const TICK_MS = 50;
const MAX_ROWS_AT_ONCE = 500;

/** Plays the script as an application would, and remembers what it was told: the first witness. */
export class Application {
  private readonly written = new Map<string, Written>();
  private nextMessage = 0;
  private nextChange = 0;
  scheduled = 0;
  edited = 0;
  canceled = 0;
  tooLate = 0;

  /** @param start epoch milliseconds of the script's 0 */
  constructor(
    private readonly script: DemoScript,
    private readonly client: Scheduling,
    private readonly writing: Writing,
    private readonly clock: Clock,
    private readonly start: number,
  ) {}

  /** Resolves when everything was written and changed, or when the signal aborts. @throws what the client throws */
  async play(signal: AbortSignal): Promise<void> {
    while (
      !signal.aborted &&
      this.nextMessage + this.nextChange < this.script.messages.length + this.script.changes.length
    ) {
      const elapsed = this.clock.now() - this.start;
      await this.write(this.take(this.script.messages, this.nextMessage, (message) => message.scheduleAt <= elapsed));
      const changes = this.take(this.script.changes, this.nextChange, (change) => change.at <= elapsed);
      this.nextChange += changes.length;
      await this.cancel(changes.filter((change) => change.kind === 'cancel'));
      await this.edit(changes.filter((change) => change.kind === 'edit'));
      await this.clock.sleep(TICK_MS, signal);
    }
  }

  told(): Told[] {
    return [...this.written.values()].map(({ message, plans, canceledAt }) => ({
      key: message.key,
      channel: message.channel,
      account: message.account,
      plans,
      canceledAt,
    }));
  }

  /** Takes back what still waits, for a demo that ends before its time. */
  async withdraw(): Promise<void> {
    const open = [...this.written.values()].filter(({ canceledAt }) => canceledAt === null);
    for (let from = 0; from < open.length; from += MAX_ROWS_AT_ONCE) {
      await this.client.cancel(open.slice(from, from + MAX_ROWS_AT_ONCE).map(({ message }) => message));
    }
  }

  private take<T>(all: readonly T[], from: number, due: (one: T) => boolean): T[] {
    let to = from;
    while (to < all.length && to - from < MAX_ROWS_AT_ONCE && due(all[to] as T)) to += 1;
    return all.slice(from, to);
  }

  private async write(messages: readonly ScriptedMessage[]): Promise<void> {
    if (messages.length === 0) return;
    const asked = messages.map((message) => ({
      key: message.key,
      account: message.account,
      ...this.content(message, 1, this.notBeforeNow(message.dueAt)),
    }));
    await this.client.schedule(asked);
    const acknowledgedAt = this.clock.now();
    for (const [index, message] of messages.entries()) {
      const dueAt = (asked[index] as ScheduledContent).dueAt;
      this.written.set(message.key, { message, plans: [{ revision: 1, dueAt, acknowledgedAt }], canceledAt: null });
    }
    this.nextMessage += messages.length;
    this.scheduled += messages.length;
  }

  private async cancel(changes: readonly ScriptedChange[]): Promise<void> {
    if (changes.length === 0) return;
    const targets = changes.map((change) => this.find(change.key));
    const answers = await this.client.cancel(targets.map(({ message }) => message));
    const now = this.clock.now();
    for (const [index, answer] of answers.entries()) {
      if (answer === 'canceled') {
        (targets[index] as Written).canceledAt = now;
        this.canceled += 1;
      } else this.tooLate += 1;
    }
  }

  private async edit(changes: readonly Extract<ScriptedChange, { kind: 'edit' }>[]): Promise<void> {
    if (changes.length === 0) return;
    const asked = changes.map((change) => {
      const { message, plans } = this.find(change.key);
      const last = plans.at(-1) as ToldPlan;
      const dueAt = change.dueAt === undefined ? last.dueAt : this.notBeforeNow(change.dueAt);
      const content = this.content(message, last.revision + 1, dueAt);
      return { key: message.key, account: message.account, ...content };
    });
    const answers = await this.client.edit(asked);
    const acknowledgedAt = this.clock.now();
    for (const [index, answer] of answers.entries()) {
      const { key, dueAt } = asked[index] as { key: string; dueAt: number };
      const { plans } = this.find(key);
      if (answer === 'edited') {
        plans.push({ revision: plans.length + 1, dueAt, acknowledgedAt });
        this.edited += 1;
      } else this.tooLate += 1;
    }
  }

  /** A message that should go out "now" is due when it is written, because nobody plans for the past. */
  private notBeforeNow(planned: number): number {
    return Math.max(this.start + planned, this.clock.now());
  }

  private content(message: ScriptedMessage, revision: number, dueAt: number): ScheduledContent {
    return { channel: message.channel, dueAt, payload: this.writing(message, revision, dueAt) };
  }

  private find(key: string): Written {
    const written = this.written.get(key);
    if (written === undefined) throw new Error(`${key} is changed before it was written`);
    return written;
  }
}
