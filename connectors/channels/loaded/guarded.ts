import { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import type { Clock } from '../../../topology/core/clock';
import { reasonOf } from '../../../topology/core/errors';
import { type ChannelClass, MAX_REFRESH_MS, type Outcome } from '../../../topology/message';
import type { ChannelName } from '../../../topology/payloads/payloads';
import type { WhoAmI } from '../channel-kind';
import { secretsIn } from '../credentials';
import { Redaction } from '../http/redaction';
import { within } from '../http/within';
import { SLOWEST_BYTES_PER_MS } from '../media/media-file';
import type { Api } from '../provider/api';
import type { Looking, Provider, Publishing } from '../provider/provider-channel';
import type { ChannelDefinition, ProviderTools } from './definition';

/** Each function of a channel must end within so many times the channel's time-out, besides the time for the bytes of its images. */
const TIMES_TIMEOUT = 7;
const MAX_REASON_CHARACTERS = 1_000;
/** As the column has them. */
const MAX_RECEIPT_CHARACTERS = 512;

const reason = z.string();
const status = z.int().min(100).max(999).optional();
const afterMs = z.number().min(0).optional();
const retry = z.object({
  kind: z.literal('retry'),
  reason,
  afterMs,
  status,
  unreachable: z.literal(true).optional(),
});
const postponed = z.object({ kind: z.literal('postponed'), reason });
const unusable = z.object({ kind: z.literal('unusable'), reason, status, isFinal: z.literal(true).optional() });
const unknown = z.object({ kind: z.literal('unknown'), reason, afterMs, status });

const outcomes = z.union([
  z.literal('not_started'),
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('delivered'), receipt: z.string().optional(), status }),
    z.object({ kind: z.literal('rejected'), reason, status }),
    retry,
    postponed,
    unusable,
    unknown,
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
type AnyProvider = Provider<ChannelName, ChannelClass, z.ZodObject, unknown>;

/** A request of the message that may have been taken. */
class Doubt {
  /** It was written and not answered. */
  isLost = false;
  /** It is under way, or its answer is not read yet. */
  isOpen = false;

  around(publish: Api): Api {
    return async (request) => {
      this.isOpen = true;
      const ended = await publish(request);
      this.isLost ||= ended !== 'not_started' && ended.kind === 'unknown';
      this.isOpen = ended !== 'not_started' && ended.kind === 'answered';
      return ended;
    };
  }
}

/**
 * The code of a package, as the bolt may rely on it.
 *
 * 1. *Whatever the code does ends as an outcome*: it throws, it never ends, or it answers something else.
 * 2. *A request that may have been taken is not hidden by that*: its message is in doubt.
 * 3. *Code whose time is over begins no request any more.*
 * 4. *No text of the code quotes a secret of the account.*
 */
export class GuardedPackage implements Pick<AnyProvider, 'originOf' | 'send' | 'lookup' | 'whoAmI'> {
  /** @param timeoutMs of one request */
  constructor(
    private readonly definition: ChannelDefinition,
    private readonly clock: Clock,
    private readonly timeoutMs: number,
  ) {}

  /** The channel's name where the code says none: then all accounts share its slots. */
  readonly originOf = (credentials: Credentials): string => {
    const { definition } = this;
    try {
      const origin: unknown = definition.originOf(credentials);
      return typeof origin === 'string' && origin !== '' ? origin : definition.name;
    } catch {
      return definition.name;
    }
  };

  readonly send = async (payload: unknown, given: Publishing<Credentials>): Promise<Outcome | 'not_started'> => {
    const { credentials, id, idempotencyKey, dueAt, now, inDoubt, files, wait } = given;
    const doubt = new Doubt();
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const ended = await this.run('send', outcomes, bytes, given, (tools, open) => {
      const publish = open(doubt.around(given.publish));
      const message = { id, idempotencyKey, dueAt, now, inDoubt };
      return this.definition.send(payload, { ...tools, ...message, publish, files, wait });
    });
    if ('failure' in ended) {
      return { kind: doubt.isLost || doubt.isOpen ? 'unknown' : 'retry', reason: ended.failure };
    }
    const told = toldOf(ended.value as Outcome | 'not_started', doubt);
    return told === 'not_started' ? told : this.shown(told, credentials);
  };

  readonly lookup = async (payload: unknown, given: Looking<Credentials>): Promise<LookupAnswer> => {
    const { credentials, id, idempotencyKey, dueAt, now, notBefore, media } = given;
    const ended = await this.run('lookup', answers, 0, given, async (tools) => {
      const message = { id, idempotencyKey, dueAt, now, notBefore, media };
      return this.definition.lookup?.(payload, { ...tools, ...message });
    });
    if ('failure' in ended) return { kind: 'unknown', reason: ended.failure };
    return this.shown(ended.value as LookupAnswer, credentials);
  };

  readonly whoAmI = async (given: ProviderTools<Credentials>): Promise<WhoAmI> => {
    const ended = await this.run('whoAmI', owners, 0, given, async (tools) => this.definition.whoAmI?.(tools));
    if ('failure' in ended) return { kind: 'no', reason: ended.failure };
    return this.shown(ended.value, given.credentials);
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
          return how.isPossible(credentials);
        } catch {
          return false;
        }
      },
      ask: async (given) => {
        const { now } = given;
        const ended = await this.run('refresh', refreshes, 0, given, (tools) => how.ask({ ...tools, now }));
        if ('failure' in ended) return { kind: 'later', reason: ended.failure, isLost: true };
        const { value } = ended;
        return value.kind === 'refreshed' ? value : this.shown(value, given.credentials);
      },
    } as AnyProvider['refresh'];
  }

  /** @param work is given its tools, and what opens another one for as long as there is time */
  private async run<T>(
    what: string,
    shape: z.ZodType<T>,
    bytes: number,
    { account, credentials, ask }: ProviderTools<Credentials>,
    work: (tools: ProviderTools<never>, open: (api: Api) => Api) => Promise<unknown>,
  ): Promise<{ readonly value: T } | { readonly failure: string }> {
    const mostMs = what === 'refresh' ? MAX_REFRESH_MS : Number.POSITIVE_INFINITY;
    const limitMs = Math.ceil(Math.min(mostMs, TIMES_TIMEOUT * this.timeoutMs + bytes / SLOWEST_BYTES_PER_MS));
    const who = `${what} of the channel ${this.definition.name}`;
    let isOver = false;
    const open =
      (api: Api): Api =>
      async (request) =>
        isOver ? 'not_started' : api(request);
    try {
      const tools = { account, credentials: credentials as never, ask: open(ask) };
      const begun = (async () => work(tools, open))();
      const value = await within(this.clock, limitMs, begun, () => new Error(`it did not end within ${limitMs} ms`));
      const { success, data } = shape.safeParse(value);
      return success ? { value: data } : { failure: `${who} answered with what is no answer` };
    } catch (error) {
      return {
        failure: this.redactionOf(credentials).shown(`${who} failed: ${reasonOf(error)}`, MAX_REASON_CHARACTERS),
      };
    } finally {
      isOver = true;
    }
  }

  /** Without what is secret. */
  private shown<T extends object>(told: T, credentials: Credentials): T {
    const redaction = this.redactionOf(credentials);
    const most = { reason: MAX_REASON_CHARACTERS, receipt: MAX_RECEIPT_CHARACTERS, name: MAX_RECEIPT_CHARACTERS };
    const texts = Object.entries(most).flatMap(([field, characters]) => {
      const value = (told as Record<string, unknown>)[field];
      return typeof value === 'string' ? [[field, redaction.shown(value, characters)]] : [];
    });
    return { ...told, ...Object.fromEntries(texts) };
  }

  private redactionOf(credentials: Credentials): Redaction {
    const secrets = secretsIn(this.definition.credentials as unknown as z.ZodObject, credentials);
    return new Redaction(secrets.flatMap((secret) => ['authorization', secret]));
  }
}

/** What the code says of a message, unless a request of it was lost: then only that it was delivered counts. */
function toldOf(told: Outcome | 'not_started', { isLost, isOpen }: Doubt): Outcome | 'not_started' {
  if (told === 'not_started') {
    return isLost || isOpen ? { kind: 'unknown', reason: 'the channel says that it did not begin, and it had' } : told;
  }
  if (!isLost || told.kind === 'delivered' || told.kind === 'unknown') return told;
  const { reason: why } = told;
  return { kind: 'unknown', reason: why, ...('afterMs' in told ? { afterMs: told.afterMs } : {}) };
}
