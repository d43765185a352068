import { z } from 'zod';
import type { Lifetime } from '../../../bolts/account-refreshes';
import type { CredentialRefresh, RefreshAnswer } from '../../../bolts/channel';
import { MAX_REFRESH_MS } from '../../../topology/message';
import { checkCredentials, credentialFields, textOf } from '../credentials';
import { HttpCaller, type HttpCallerOptions } from '../http/http-caller';
import { type Api, apiOf } from './api';
import { readyOf } from './provider-accounts';

/** New credentials of the same account, or why there are none. */
export type Refreshed<Credentials> =
  | { readonly kind: 'refreshed'; readonly credentials: Credentials }
  | Exclude<RefreshAnswer, { kind: 'refreshed' }>;

/** What a refresh is given. */
export interface Refreshing<Credentials> {
  readonly account: string;
  readonly credentials: Credentials;
  /** Makes the request. */
  readonly ask: Api;
  /** Epoch milliseconds by the database's clock. */
  readonly now: () => number;
}

/** How a provider gives new credentials for those that end. Those say by a field `expiresAt` when that is. */
export interface Refresh<Credentials> {
  /** Whether these have what it needs. */
  readonly isPossible: (credentials: Credentials) => boolean;
  /** The old ones end with the answer, so that a lost answer is the loss of the account. */
  readonly isRotating: boolean;
  /** How long before their end they are refreshed, milliseconds; at half of their life, where that is later. */
  readonly aheadMs: number;
  readonly ask: (refreshing: Refreshing<Credentials>) => Promise<Refreshed<Credentials>>;
}

/** As the column has them, with what encryption adds. */
const MAX_BYTES = 8_192;
/** Of one request. Its connections are its own, so that no message waits for one. */
export const REQUEST_MS = MAX_REFRESH_MS / 2;
const CONNECTIONS = 16;

/** A field of credentials: when they end. */
export function expiresAtField() {
  return z.iso
    .datetime({ offset: true, error: 'expected an instant, such as 2026-12-31T12:00:00Z' })
    .optional()
    .register(credentialFields, {
      prompt: 'When the access token ends, such as 2026-12-31T12:00:00Z, or nothing',
      isSecret: false,
    });
}

/** No token is believed to live longer: what providers say may be no instant that there is. */
const MAX_LIFETIME_MS = 10 * 365 * 86_400_000;

/** For how many seconds a token lives, as providers say it; undefined where that cannot be read, which costs no token. */
export const lifetimeSeconds = z
  .union([z.number(), z.string().trim().min(1).transform(Number)])
  .pipe(z.number().positive())
  .optional()
  .catch(undefined);

/** The end of credentials, as they say it. @param seconds from `now`, as providers give it */
export function expiresAt(now: number, seconds: number): string {
  return new Date(now + Math.min(seconds * 1_000, MAX_LIFETIME_MS)).toISOString();
}

/** The provider's channel of which a refresh is. */
interface Refreshable<Schema extends z.ZodObject> {
  readonly name: string;
  readonly credentials: Schema;
  readonly refresh?: Refresh<z.infer<Schema>>;
}

/** When credentials end, and when they are refreshed. @param since when they were made, where that is known */
function lifetimeOf<Schema extends z.ZodObject>(
  { refresh }: Pick<Refreshable<Schema>, 'refresh'>,
  credentials: z.infer<Schema>,
  since?: number,
): Lifetime {
  const { expiresAt: end } = credentials as { readonly expiresAt?: unknown };
  const ends = typeof end === 'string' ? Date.parse(end) : Number.NaN;
  if (Number.isNaN(ends)) return { expiresAt: null, refreshAt: null };
  if (refresh?.isPossible(credentials) !== true) return { expiresAt: ends, refreshAt: null };
  const ahead = ends - refresh.aheadMs;
  if (since === undefined) return { expiresAt: ends, refreshAt: ahead };
  // What lives for a short time would be refreshed again and again.
  return { expiresAt: ends, refreshAt: Math.floor(Math.max(ahead, (since + ends) / 2)) };
}

/** @throws Unavailable when the channel has other fields by now */
export function lifetimeIn<Schema extends z.ZodObject>(provider: Refreshable<Schema>, text: string): Lifetime {
  const { name, credentials } = provider;
  return lifetimeOf(provider, readyOf(name, credentials, text).credentials);
}

/** Asks a provider for new credentials, by connections of its own. */
export class ProviderRefresh<Schema extends z.ZodObject> implements CredentialRefresh {
  private readonly caller: HttpCaller;

  constructor(
    private readonly provider: Refreshable<Schema>,
    private readonly how: Refresh<z.infer<Schema>>,
    { clock, network }: Pick<HttpCallerOptions, 'clock' | 'network'>,
    readonly replaced: (account: string) => void,
  ) {
    this.caller = new HttpCaller({ timeoutMs: REQUEST_MS, perOrigin: CONNECTIONS, clock, network });
  }

  get isRotating(): boolean {
    return this.how.isRotating;
  }

  readonly ask: CredentialRefresh['ask'] = async (account, text, mayStart, now) => {
    const { name, credentials: schema } = this.provider;
    const began = now();
    const { credentials, secrets } = readyOf(name, schema, text);
    if (!this.how.isPossible(credentials)) {
      return { kind: 'refused', reason: `the account's credentials for ${name} have nothing to refresh them by` };
    }
    const ask = apiOf(this.caller, account, secrets, mayStart);
    const refreshed = await this.how.ask({ account, credentials, ask, now });
    if (refreshed.kind !== 'refreshed') return refreshed;
    const checked = readable(name, schema, refreshed.credentials);
    if (checked === undefined) return lost(`${name} gave new tokens of which a channel can make no use`);
    const kept = textOf(schema, checked);
    if (Buffer.byteLength(kept) > MAX_BYTES) return lost(`${name} gave new tokens of more than ${MAX_BYTES} bytes`);
    return { kind: 'refreshed', credentials: kept, ...lifetimeOf(this.provider, checked, began) };
  };

  close(): Promise<void> {
    return this.caller.close();
  }
}

/** What can be used of new credentials: an end that cannot be read costs no token. */
function readable<Schema extends z.ZodObject>(
  channel: string,
  schema: Schema,
  credentials: object,
): z.infer<Schema> | undefined {
  const whole = checkCredentials(channel, schema, credentials);
  if (whole.success) return whole.data;
  const others = Object.entries(credentials).filter(([field]) => field !== 'expiresAt');
  return checkCredentials(channel, schema, Object.fromEntries(others)).data;
}

function lost(reason: string): RefreshAnswer {
  return { kind: 'later', reason, isLost: true };
}
