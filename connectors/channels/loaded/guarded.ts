import { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import type { Clock } from '../../../topology/core/clock';
import { reasonOf } from '../../../topology/core/errors';
import { type ChannelClass, MAX_REFRESH_MS, type Outcome } from '../../../topology/message';
import type { ChannelName } from '../../../topology/payloads/payloads';
import type { WhoAmI } from '../channel-kind';
import { secretsIn } from '../credentials';
import { within } from '../http/within';
import { SLOWEST_BYTES_PER_MS } from '../media/media-file';
import type { Api, GatedApi } from '../provider/api';
import type { Looking, Provider, Publishing } from '../provider/provider-channel';
import type { ChannelDefinition, ProviderTools } from './definition';
import { Publications } from './publications';
import { Quotes } from './quotes';

/** Each function of a channel must end within so many times the channel's time-out, besides the time for the bytes of its images. */
const TIMES_TIMEOUT = 7;
/** Before it is said that a request may not be made: a loop around it must leave time for others. */
const REFUSED_MS = 50;
const MAX_REASON_CHARACTERS = 1_000;
/** As the column has them. */
const MAX_RECEIPT_CHARACTERS = 512;

const reason = z.string();
const status = z.int().min(100).max(999).optional();
const afterMs = z.number().min(0).optional();
const hold = z.object({ of: z.enum(['account', 'app']), ms: z.number().min(0) }).optional();
const retry = z.object({
  kind: z.literal('retry'),
  reason,
  afterMs,
  status,
  unreachable: z.literal(true).optional(),
  hold,
});
const postponed = z.object({ kind: z.literal('postponed'), reason });
const unusable = z.object({ kind: z.literal('unusable'), reason, status, isFinal: z.literal(true).optional() });
const unknown = z.object({ kind: z.literal('unknown'), reason, afterMs, status });

const outcomes = z.union([
  z.literal('not_started'),
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('delivered'), receipt: z.string().optional(), status, hold }),
    z.object({ kind: z.literal('rejected'), reason, status }),
    retry,
    postponed,
    unusable,
    unknown.extend({ isFinal: z.literal(true).optional() }),
  ]),
]);
const answers = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('accepted'), receipt: z.string().optional() }),
  z.object({ kind: z.literal('absent') }),
  retry,
  postponed,
  unusable,
  unknown,
]);
const owners = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ok'), name: z.string() }),
  z.object({ kind: z.literal('no'), reason }),
]);

const refreshes = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('refreshed'), credentials: z.record(z.string(), z.unknown()) }),
  z.object({ kind: z.literal('refused'), reason }),
  z.object({ kind: z.literal('later'), reason, afterMs, isLost: z.literal(true).optional() }),
]);

type Credentials = Readonly<Record<string, unknown>>;
type Given = Omit<ProviderTools<Credentials>, 'ask'> & { readonly ask: GatedApi };
type AnyProvider = Provider<ChannelName, ChannelClass, z.ZodObject, unknown>;

/**
 * The code of a package, as the bolt may rely on it.
 *
 * 1. *Whatever the code does ends as an outcome*: it throws, it never ends, or it answers something else.
 * 2. *A request that may have been taken is not hidden by that*: its message is in doubt.
 * 3. *Code whose time is over begins no request any more*, and none that waits for a name or a connection is written.
 * 4. *No text of the code quotes a secret of the account*, in whatever form a request has it, nor what its requests were authorized by.
 * 5. *The code is given copies of credentials and payloads*: what it changes of them is as it was at the next call.
 */
export class GuardedPackage implements Pick<AnyProvider, 'originOf' | 'send' | 'lookup' | 'whoAmI'> {
  /** @param timeoutMs of one request */
  constructor(
    private readonly definition: ChannelDefinition,
    private readonly clock: Clock,
    private readonly timeoutMs: number,
  ) {}

  /**
   * The channel's name where the code says none: then all accounts share its slots. Of a URL nothing else is taken, because it is in
   * reasons, and is compared with where requests go.
   */
  readonly originOf = (credentials: Credentials): string => {
    const { definition } = this;
    try {
      const { origin } = new URL(definition.originOf(structuredClone(credentials)));
      return origin === 'null' ? definition.name : origin;
    } catch {
      return definition.name;
    }
  };

  readonly send = async (payload: unknown, given: Publishing<Credentials>): Promise<Outcome | 'not_started'> => {
    const { id, idempotencyKey, dueAt, now, inDoubt, files, wait } = given;
    const quotes = this.quotesOf(given.credentials);
    const { class: own, keyLifetimeMs } = this.definition;
    const publications = new Publications(own === 'idempotent' && keyLifetimeMs === undefined);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const ended = await this.run('send', outcomes, bytes, given, quotes, (tools, open) => {
      const publish = open(publications.around(given.publish, this.refuse));
      const message = { id, idempotencyKey, dueAt, now, inDoubt };
      return this.definition.send(payload, { ...tools, ...message, publish, files, wait });
    });
    if ('failure' in ended) {
      return { kind: publications.mayBeTaken ? 'unknown' : 'retry', reason: ended.failure };
    }
    const told = publications.allow(ended.value as Outcome | 'not_started');
    return told === 'not_started' ? told : shown(told, quotes);
  };

  readonly lookup = async (payload: unknown, given: Looking<Credentials>): Promise<LookupAnswer> => {
    const { id, idempotencyKey, dueAt, now, notBefore, media } = given;
    const quotes = this.quotesOf(given.credentials);
    const ended = await this.run('lookup', answers, 0, given, quotes, async (tools) => {
      const message = { id, idempotencyKey, dueAt, now, notBefore, media };
      return this.definition.lookup?.(payload, { ...tools, ...message });
    });
    if ('failure' in ended) return { kind: 'unknown', reason: ended.failure };
    return shown(ended.value as LookupAnswer, quotes);
  };

  readonly whoAmI = async (given: Given): Promise<WhoAmI> => {
    const quotes = this.quotesOf(given.credentials);
    const ended = await this.run('whoAmI', owners, 0, given, quotes, async (tools) => this.definition.whoAmI?.(tools));
    if ('failure' in ended) return { kind: 'no', reason: ended.failure };
    return shown(ended.value, quotes);
  };

  /** Undefined where the package has no refresh. */
  get refresh(): AnyProvider['refresh'] | undefined {
    const how = this.definition.refresh;
    if (how === undefined) return undefined;
    return {
      isRotating: how.isRotating,
      aheadMs: how.aheadMs,
      isPossible: (credentials) => {
        try {
          // An asynchronous one answers with a promise.
          const answer: unknown = how.isPossible(structuredClone(credentials));
          return answer === true;
        } catch {
          return false;
        }
      },
      ask: async (given) => {
        const { now } = given;
        const quotes = this.quotesOf(given.credentials);
        const ended = await this.run('refresh', refreshes, 0, given, quotes, async (tools) =>
          how.ask({ ...tools, now }),
        );
        if ('failure' in ended) return { kind: 'later', reason: ended.failure, isLost: true };
        const { value } = ended;
        return value.kind === 'refreshed' ? value : shown(value, quotes);
      },
    } as AnyProvider['refresh'];
  }

  private readonly refuse = async (): Promise<'not_started'> => {
    await this.clock.sleep(REFUSED_MS);
    return 'not_started';
  };

  /**
   * @param quotes of the credentials before the code has seen them
   * @param work is given its tools, and what opens another one for as long as there is time
   */
  private async run<T>(
    what: string,
    shape: z.ZodType<T>,
    bytes: number,
    { account, credentials, ask }: Given,
    quotes: Quotes,
    work: (tools: ProviderTools<never>, open: (api: GatedApi) => Api) => Promise<unknown>,
  ): Promise<{ readonly value: T } | { readonly failure: string }> {
    const ofMessagesMs = Math.ceil(TIMES_TIMEOUT * this.timeoutMs + bytes / SLOWEST_BYTES_PER_MS);
    // The time-out of messages is none of it: an answer that is given up may be the only tokens that the account has.
    const limitMs = what === 'refresh' ? MAX_REFRESH_MS : ofMessagesMs;
    const who = `${what} of the channel ${this.definition.name}`;
    const late = new Error(`it did not end within ${limitMs} ms`);
    let isOver = false;
    const open =
      (api: GatedApi): Api =>
      async (request) => {
        if (isOver) return this.refuse();
        quotes.add(request);
        return api(request, () => !isOver);
      };
    try {
      const tools = { account, credentials: structuredClone(credentials) as never, ask: open(ask) };
      const begun = (async () => work(tools, open))();
      const value = await within(this.clock, limitMs, begun, () => late);
      const { success, data } = shape.safeParse(value);
      return success ? { value: data } : { failure: `${who} answered with what is no answer` };
    } catch (error) {
      // What the provider gave may stand in it, in whatever form: the quotes know nothing of new tokens.
      if (what === 'refresh' && error !== late) return { failure: `${who} failed: it threw` };
      return { failure: quotes.shown(`${who} failed: ${reasonOf(error)}`, MAX_REASON_CHARACTERS) };
    } finally {
      isOver = true;
    }
  }

  private quotesOf(credentials: Credentials): Quotes {
    return new Quotes(secretsIn(this.definition.credentials as unknown as z.ZodObject, credentials));
  }
}

/** Without what is secret. */
function shown<T extends object>(told: T, quotes: Quotes): T {
  const texts = Object.entries(told).flatMap(([field, value]) => {
    if (typeof value !== 'string') return [];
    if (field === 'receipt') return [[field, quotes.shownReceipt(value, MAX_RECEIPT_CHARACTERS)]];
    if (field === 'reason') return [[field, quotes.shown(value, MAX_REASON_CHARACTERS)]];
    return field === 'name' ? [[field, quotes.shown(value, MAX_RECEIPT_CHARACTERS)]] : [];
  });
  return { ...told, ...Object.fromEntries(texts) };
}
