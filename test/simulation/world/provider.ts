import type { AttemptContext, Channel, LookupContext } from '../../../bolts/channel';
import type { ChannelClass, Outcome } from '../../../topology/message';
import type { Random } from '../../support/random';
import type { ReceivedRequest } from '../judge/history';
import type { SimulatedAccounts } from './accounts';
import { hostileOf, isHarmless, originOf } from './hostile-tenant';
import type { Machine } from './machine';
import type { SimulatedTime } from './time';

/** What a provider does with a request, as parts of 1. It accepts the rest. */
export interface Manners {
  /** No connection: nothing was sent. */
  refuses: number;
  /** It is taken and the connection drops. */
  drops: number;
  /** The connection drops before it is taken. */
  vanishes: number;
  /** "Not now". */
  busy: number;
  /** "Never". */
  rejects: number;
  /** It is taken, the answer is an error. */
  errs: number;
  /** No answer comes; it is taken late, or never. */
  hangs: number;
  /**
   * Of lookups: what was taken is not listed before the same comes again, and that is then refused: because it is a duplicate, or
   * with what says nothing of it.
   */
  listsLate: number;
  /** Messages of a hostile tenant get no answer, and their names none of the resolver. */
  hostility: boolean;
  /** One way, at most, and until a connection is there at most. Milliseconds. */
  slowest: number;
  connecting: number;
}

export function polite(): Manners {
  const none = { refuses: 0, drops: 0, vanishes: 0, busy: 0, rejects: 0, errs: 0, hangs: 0, listsLate: 0 };
  return { ...none, hostility: false, slowest: 40, connecting: 0 };
}

export interface SimulatedPayload {
  readonly account: string;
  readonly content: string;
}

/**
 * `brief`: idempotent, and its key lives for a time. The provider looks a key up first and writes it after the fact. `container`: a
 * lookup by the id of what is made ready first, which becomes one message at most. The id is kept between attempts.
 */
export const simulatedKinds = ['idempotent', 'brief', 'lookup', 'blind', 'container'] as const;
export type SimulatedKind = (typeof simulatedKinds)[number];

/** How long a worker waits for an answer, and how much later a request can still be accepted. Milliseconds. */
export const TIMEOUT = 2_000;
const ACCEPTED_LATE = 1_000;
/** Of brief keys, milliseconds: how long they are known, and how long after the fact they are written. */
export const KEY_LIFETIME = 7_000;
const KEY_WRITTEN_AFTER = 400;

type Fate = 'accept' | 'drop' | 'vanish' | 'busy' | 'reject' | 'err' | 'hang';

/** The provider behind one channel. It remembers what reached it, and de-duplicates when the channel is idempotent. */
export class SimulatedProvider {
  readonly requests: ReceivedRequest[] = [];
  readonly manners = polite();
  readonly channelClass: ChannelClass;
  private readonly acceptedWithin: number;
  private readonly taken = new Set<string>();
  /** What was taken and is not listed yet. */
  private readonly unlisted = new Set<string>();
  /** The one token that it takes, by account. */
  private readonly tokens = new Map<string, string>();
  /** Accounts whose tokens it refuses by mistake. */
  readonly mistaken = new Set<string>();
  /** What it de-duplicates by. */
  private readonly keys = new Set<string>();
  /** What containers hold, by their ids. */
  private readonly containers = new Map<string, string>();

  constructor(
    readonly name: SimulatedKind,
    private readonly time: SimulatedTime,
    private readonly random: Random,
    private readonly timeout: number,
  ) {
    this.acceptedWithin = timeout + ACCEPTED_LATE;
    this.channelClass = name === 'brief' ? 'idempotent' : name === 'container' ? 'lookup' : name;
  }

  tokenOf(account: string): string {
    return this.tokens.get(account) ?? 'token 0';
  }

  /** From now on it takes no token of the account. */
  revoke(account: string): void {
    this.tokens.set(account, 'none');
  }

  accept(account: string, token: string): void {
    this.tokens.set(account, token);
  }

  /** @param accounts where accounts need credentials */
  channel(machine: Machine, worker: string, accounts?: SimulatedAccounts): Channel<SimulatedPayload> {
    return {
      name: this.name,
      class: this.channelClass,
      acceptedWithin: this.acceptedWithin,
      ...(this.name === 'brief' ? { keyLifetimeMs: KEY_LIFETIME } : {}),
      warm: async () => {},
      prepare: (account, content) => ({ account, content }),
      originOf: ({ account, content }) => originOf(account, content),
      send: async (prepared, attempt) => {
        if (accounts === undefined) return this.send(machine, worker, prepared, attempt, undefined);
        const ready = await accounts.readyOf(attempt.account);
        if ('kind' in ready) return ready;
        const { token } = ready.credentials;
        return accounts.judged(attempt.account, ready, await this.send(machine, worker, prepared, attempt, token));
      },
      lookup: async (_prepared, asked) => {
        if (accounts === undefined) return this.lookup(machine, asked, undefined);
        const ready = await accounts.readyOf(asked.account);
        if ('kind' in ready) return ready;
        return accounts.judged(asked.account, ready, await this.lookup(machine, asked, ready.credentials.token));
      },
      close: async () => {},
    };
  }

  private async send(
    machine: Machine,
    worker: string,
    { content }: SimulatedPayload,
    attempt: AttemptContext,
    token: string | undefined,
  ): Promise<Outcome | 'not_started'> {
    const { random, manners } = this;
    const hostile = manners.hostility ? hostileOf(content) : undefined;
    if (hostile?.kind === 'unresolvable') {
      await machine.sleep(this.timeout);
      return { kind: 'postponed', reason: 'the name was not resolved in time' };
    }
    if (manners.connecting > 0) await machine.sleep(random.skewed(0, manners.connecting));
    if (random.chance(manners.refuses)) return { kind: 'retry', reason: 'no connection', unreachable: true };
    const { id, account, idempotencyKey: key } = attempt;
    const by = this.name === 'container' ? await this.containerOf(machine, content, attempt) : key;
    if (by === undefined || !attempt.mayStart()) return 'not_started';
    const shown = this.containers.get(by) ?? content;
    const request = { id, account, key, content: shown, worker, at: this.time.now, accepted: false };
    this.requests.push(request);
    if (hostile !== undefined && !isHarmless(hostile.kind, hostile.n)) return unanswered(machine, this.timeout);
    return this.exchange(machine, request, by, token);
  }

  /** @returns undefined when it is not kept, because another worker has the message */
  private async containerOf(machine: Machine, content: string, { kept }: AttemptContext): Promise<string | undefined> {
    const known = (await kept?.read())?.['container'];
    if (known !== undefined) return known;
    const container = `container ${this.containers.size}`;
    this.containers.set(container, content);
    await machine.sleep(this.random.skewed(1, this.manners.slowest));
    return (await kept?.keep({ container })) === true ? container : undefined;
  }

  /** @param by what the provider knows the message by */
  private exchange(
    machine: Machine,
    request: ReceivedRequest,
    by: string,
    token: string | undefined,
  ): Promise<Outcome> {
    const { time, random, manners } = this;
    const fate = this.fate();
    const there = fate === 'hang' ? random.between(0, this.acceptedWithin) : random.skewed(1, manners.slowest);
    const back = random.skewed(1, manners.slowest);
    const isTaken = fate === 'accept' || fate === 'drop' || fate === 'err' || (fate === 'hang' && random.chance(0.7));
    return new Promise((resolve) => {
      machine.after(this.timeout, () => resolve({ kind: 'unknown', reason: 'no answer in time' }));
      const latest = this.name === 'brief' ? this.acceptedWithin - KEY_WRITTEN_AFTER : this.acceptedWithin;
      time.after(Math.min(there, latest), () => {
        const isKnown = this.takes(request.account, token);
        const refusal = isKnown ? this.refusalOf(by) : undefined;
        if (isTaken && isKnown && refusal === undefined) this.take(request, by);
        const answer = refusal ?? this.answer(fate);
        const isAnswered = answer?.kind === 'delivered' || answer?.kind === 'retry' || answer?.kind === 'rejected';
        const outcome: Outcome | undefined = isKnown || !isAnswered ? answer : this.refusal(request);
        if (outcome !== undefined) time.after(back, () => machine.deliver(() => resolve(outcome)));
      });
    });
  }

  private takes(account: string, token: string | undefined): boolean {
    return token === undefined || (token === this.tokenOf(account) && !this.mistaken.has(account));
  }

  /** Some refusals say that they are no mistake. */
  private refusal({ id, account }: Pick<ReceivedRequest, 'id' | 'account'>): Extract<Outcome, { kind: 'unusable' }> {
    const refusal = { kind: 'unusable', reason: 'revoked' } as const;
    return this.mistaken.has(account) || id % 2 === 0 ? refusal : { ...refusal, isFinal: true };
  }

  private fate(): Fate {
    const { drops, vanishes, busy, rejects, errs, hangs } = this.manners;
    let chance = this.random.next();
    const fates: readonly (readonly [Fate, number])[] = [
      ['drop', drops],
      ['vanish', vanishes],
      ['busy', busy],
      ['reject', rejects],
      ['err', errs],
      ['hang', hangs],
    ];
    for (const [fate, part] of fates) {
      if (chance < part) return fate;
      chance -= part;
    }
    return 'accept';
  }

  /** How it refuses what it has taken and not listed. From then on it lists it. */
  private refusalOf(key: string): Outcome | undefined {
    if (!this.unlisted.delete(key)) return undefined;
    this.taken.add(key);
    return this.random.pick<Outcome>([
      { kind: 'rejected', reason: 'a duplicate', status: 403 },
      { kind: 'postponed', reason: 'a version that is given up' },
      { kind: 'retry', reason: 'not now', status: 429 },
    ]);
  }

  private take(request: ReceivedRequest, key: string): void {
    request.accepted = !this.keys.has(key);
    const { listsLate } = this.manners;
    const isLate = this.name === 'lookup' && listsLate > 0 && this.random.chance(listsLate);
    if (isLate && request.accepted) this.unlisted.add(key);
    else this.taken.add(key);
    if (this.name === 'idempotent' || this.name === 'container') this.keys.add(key);
    if (this.name !== 'brief' || !request.accepted) return;
    this.time.after(KEY_WRITTEN_AFTER, () => this.keys.add(key));
    this.time.after(KEY_LIFETIME, () => this.keys.delete(key));
  }

  private answer(fate: Fate): Outcome | undefined {
    const answers: Record<Fate, Outcome | undefined> = {
      accept: { kind: 'delivered', receipt: 'taken', status: 200 },
      drop: { kind: 'unknown', reason: 'the connection dropped' },
      vanish: { kind: 'unknown', reason: 'the connection dropped' },
      busy: { kind: 'retry', reason: 'not now', status: 503 },
      reject: { kind: 'rejected', reason: 'never', status: 400 },
      err: { kind: 'unknown', reason: 'an error after the fact', status: 500 },
      hang: undefined,
    };
    return answers[fate];
  }

  private async lookup(
    machine: Machine,
    { id, idempotencyKey, account, kept }: LookupContext,
    token: string | undefined,
  ): Promise<Awaited<ReturnType<NonNullable<Channel['lookup']>>>> {
    const { time, random, manners } = this;
    const key = this.name === 'container' ? (await kept?.read())?.['container'] : idempotencyKey;
    if (key === undefined) return { kind: 'absent' };
    return new Promise((resolve) => {
      time.after(random.skewed(1, manners.slowest), () => {
        const isKnown = this.taken.has(key);
        const isRevoked = !this.takes(account, token);
        const isSilent = random.chance(manners.refuses + manners.drops);
        time.after(random.skewed(1, manners.slowest), () =>
          machine.deliver(() => {
            if (isSilent) resolve({ kind: 'unknown', reason: 'no answer' });
            else if (isRevoked) resolve(this.refusal({ id, account }));
            else resolve(isKnown ? { kind: 'accepted', receipt: 'taken' } : { kind: 'absent' });
          }),
        );
      });
    });
  }
}

/** The request hangs, and is never taken. */
async function unanswered(machine: Machine, timeout: number): Promise<Outcome> {
  await machine.sleep(timeout);
  return { kind: 'unknown', reason: 'no answer in time' };
}
