import type { AttemptContext, Channel, LookupContext, Readying } from '../../../bolts/channel';
import type { Clock } from '../../../topology/core/clock';
import { BadRecord } from '../../../topology/core/errors';
import type { ChannelClass, Outcome } from '../../../topology/message';

/** A payload as this channel understands it: `{ url, body? }`. */
export interface ScriptedPayload {
  readonly url: string;
  readonly body?: unknown;
  readonly text: string;
}

/** One request that began. */
export interface Begun {
  readonly id: number;
  readonly account: string;
  readonly key: string;
  /** The payload's text. */
  readonly content: string;
  /** What the bolt said of it. */
  readonly inDoubt: boolean;
  /** Epoch milliseconds by the machine's clock. */
  readonly at: number;
}

/** What happens to one attempt: `after` milliseconds its outcome; `connecting` milliseconds before it may start. */
export interface Step {
  readonly outcome: Outcome | 'not_started' | 'hangs' | Error;
  /** The outcome comes of a request that could not be written: there is no connection, for example. */
  readonly isUnwritten?: boolean;
  readonly after?: number;
  readonly connecting?: number;
  /** The provider refuses the first request after that time, and is asked a second time, as where a chat has moved. */
  readonly again?: boolean;
}

type Lookup = Awaited<ReturnType<NonNullable<Channel['lookup']>>>;

/**
 * A provider that does as it is told: steps by message id, one per attempt, or else by host, or else delivered after
 * `latency`. It remembers what began, what it accepted, and how many requests were under way at once.
 */
export class ScriptedChannel implements Channel<ScriptedPayload> {
  readonly name = 'webhook';
  readonly journal: Begun[] = [];
  /** Ids of delivered outcomes, in order. */
  readonly accepted: number[] = [];
  readonly looked: { readonly id: number; readonly at: number; readonly notBefore: number }[] = [];
  readonly warmed: string[][] = [];
  /** Requests under way now and at most, by host and by account; `all` for both together. */
  readonly now = new Map<string, number>();
  readonly peak = new Map<string, number>();
  /** Milliseconds. */
  latency = 10;
  acceptedWithin = 1_000;
  keyLifetimeMs?: number;
  /** What `lookup` answers, by id; absent when there is none. */
  readonly lookups = new Map<number, Lookup>();
  /** What the channel makes ready first. It makes no request when this resolves to false. */
  beforehand?: (attempt: AttemptContext) => Promise<boolean>;
  /** What it does before the instant. Given before the bolt is built. */
  readying?: Readying<ScriptedPayload>;
  appOf?: (account: string) => string | undefined;
  /** Called at each lookup. */
  onLookup?: (asked: LookupContext) => Promise<void>;
  /** Called in the tick in which a request begins. */
  onBegun: () => void = () => undefined;
  byHost: (host: string, account: string) => Step | undefined = () => undefined;
  private readonly steps = new Map<number, Step[]>();

  constructor(
    private readonly clock: Clock,
    readonly channelClass: ChannelClass = 'idempotent',
  ) {}

  get class(): ChannelClass {
    return this.channelClass;
  }

  /** The next attempts of a message. */
  script(id: number, ...steps: Step[]): void {
    this.steps.set(id, [...(this.steps.get(id) ?? []), ...steps]);
  }

  async warm(accounts: readonly string[]): Promise<void> {
    this.warmed.push([...accounts]);
  }

  prepare(_account: string, text: string): ScriptedPayload {
    // Text that is not JSON stands for a bug of the channel's.
    const value = JSON.parse(text) as { url?: unknown; body?: unknown };
    if (typeof value.url !== 'string') throw new BadRecord('payload.url: expected a text');
    return { url: value.url, body: value.body, text };
  }

  originOf(prepared: ScriptedPayload): string {
    return new URL(prepared.url).origin;
  }

  async send(prepared: ScriptedPayload, attempt: AttemptContext): Promise<Outcome | 'not_started'> {
    const host = this.originOf(prepared);
    const step = this.steps.get(attempt.id)?.shift() ?? this.byHost(host, attempt.account);
    if (step?.connecting !== undefined) await this.clock.sleep(step.connecting);
    if (step?.outcome === 'not_started') return 'not_started';
    if (step?.isUnwritten === true) return step.outcome as Outcome;
    if (this.beforehand !== undefined && !(await this.beforehand(attempt))) return 'not_started';
    if (!attempt.mayStart()) return 'not_started';
    const { id, account, idempotencyKey: key, inDoubt } = attempt;
    this.journal.push({ id, account, key, content: prepared.text, inDoubt, at: this.clock.now() });
    this.onBegun();
    const counted = ['all', host, account];
    for (const name of counted) this.count(name, 1);
    if (step?.outcome === 'hangs') return new Promise(() => {});
    await this.clock.sleep(step?.after ?? this.latency);
    for (const name of counted) this.count(name, -1);
    if (step?.again === true && !attempt.mayStart()) return 'not_started';
    const outcome = step?.outcome ?? { kind: 'delivered', receipt: `receipt-${id}`, status: 200 };
    if (outcome instanceof Error) throw outcome;
    if (outcome.kind === 'delivered') this.accepted.push(id);
    return outcome;
  }

  async lookup(_prepared: ScriptedPayload, attempt: LookupContext): Promise<Lookup> {
    this.looked.push({ id: attempt.id, at: this.clock.now(), notBefore: attempt.notBefore });
    await this.onLookup?.(attempt);
    await this.clock.sleep(this.latency);
    return this.lookups.get(attempt.id) ?? { kind: 'absent' };
  }

  async close(): Promise<void> {}

  private count(name: string, change: number): void {
    const now = (this.now.get(name) ?? 0) + change;
    this.now.set(name, now);
    this.peak.set(name, Math.max(this.peak.get(name) ?? 0, now));
  }
}
