import { z } from 'zod';
import type { Clock } from '../../topology/core/clock';
import type { FakeAnswer, FakeRequest } from './fake-provider';

/** What a fake may be told of tokens that are refreshed. */
export interface FakeOAuthOptions {
  /** Apps, and their secrets; null for one that has none. */
  readonly clients: Readonly<Record<string, string | null>>;
  /** Refresh tokens, and the access tokens that were given with them. */
  readonly refreshTokens: Readonly<Record<string, string>>;
  /** Of an access token, milliseconds. */
  readonly lifetimeMs?: number;
}

/** What differs from provider to provider. */
interface FakeOAuthDialect {
  readonly path: string;
  /** Each refresh token serves once, and the access token of before ends with it. */
  readonly isRotating: boolean;
  /** An app with a secret says so in a header. */
  readonly hasBasic: boolean;
  readonly lifetimeMs: number;
  /** What it says to a refresh token that it does not take. */
  readonly wrongToken: { readonly error: string; readonly error_description: string };
}

interface Issued {
  readonly owner: string;
  readonly endsAt: number;
}

const form = z.strictObject({
  grant_type: z.literal('refresh_token'),
  refresh_token: z.string().min(1),
  client_id: z.string().min(1).optional(),
  client_secret: z.string().min(1).optional(),
});

/** A server that gives an access token for a refresh token. Tokens are named after the first, so that what is planted in one is in all. */
export class FakeOAuth {
  /** Refresh tokens that were used, or taken back. */
  readonly spent = new Set<string>();
  /** How often a token was refreshed. */
  refreshed = 0;
  /** Whose each refresh token is, by the access token of the beginning. */
  private readonly owners: Map<string, string>;
  private readonly issued = new Map<string, Issued>();
  private readonly newest = new Map<string, string>();

  constructor(
    private readonly dialect: FakeOAuthDialect,
    private readonly options: FakeOAuthOptions,
    private readonly clock: Clock,
  ) {
    this.owners = new Map(Object.entries(options.refreshTokens));
    for (const token of this.owners.values()) this.newest.set(token, token);
  }

  asks({ method, path }: FakeRequest): boolean {
    return method === 'POST' && path === this.dialect.path;
  }

  /** The access token of the beginning that a newer one stands for; undefined when this one ended. */
  ownerOf(token: string): string | undefined {
    const issued = this.issued.get(token);
    if (issued === undefined) {
      const newest = this.newest.get(token);
      return newest === undefined || newest === token || !this.dialect.isRotating ? token : undefined;
    }
    const isOld = this.dialect.isRotating && this.newest.get(issued.owner) !== token;
    return isOld || issued.endsAt <= this.clock.now() ? undefined : issued.owner;
  }

  handle({ headers, body }: FakeRequest): FakeAnswer {
    if (headers['content-type'] !== 'application/x-www-form-urlencoded') return refused('strict: expected a form');
    const parsed = form.safeParse(Object.fromEntries(new URLSearchParams(String(body))));
    if (!parsed.success) return refused(`strict: ${z.prettifyError(parsed.error)}`);
    const { refresh_token: token } = parsed.data;
    if (!this.isClient(headers.authorization, parsed.data)) {
      return {
        status: 401,
        json: { error: 'invalid_client', error_description: 'Missing valid authorization header' },
      };
    }
    const owner = this.owners.get(token);
    if (owner === undefined || this.spent.has(token)) return { status: 400, json: this.dialect.wrongToken };
    const { isRotating, lifetimeMs: usual } = this.dialect;
    const { lifetimeMs = usual } = this.options;
    const number = ++this.refreshed;
    const access = `${owner}-access-${number}`;
    this.issued.set(access, { owner, endsAt: this.clock.now() + lifetimeMs });
    this.newest.set(owner, access);
    const next = isRotating ? `${token.replace(/-refresh-\d+$/, '')}-refresh-${number}` : token;
    if (isRotating) this.spent.add(token);
    this.owners.set(next, owner);
    const json = {
      token_type: 'bearer',
      expires_in: Math.floor(lifetimeMs / 1_000),
      access_token: access,
      refresh_token: next,
    };
    return { status: 200, json };
  }

  private isClient(
    authorization: string | undefined,
    { client_id: id, client_secret: secret }: z.infer<typeof form>,
  ): boolean {
    const { clients } = this.options;
    if (!this.dialect.hasBasic || id !== undefined) {
      const known = id !== undefined && Object.hasOwn(clients, id) ? clients[id] : undefined;
      return authorization === undefined && known !== undefined && known === (secret ?? null);
    }
    const basic = Buffer.from(/^Basic (\S+)$/.exec(authorization ?? '')?.[1] ?? '', 'base64').toString();
    return Object.entries(clients).some(
      ([name, own]) => own !== null && basic === [name, own].map(encodeURIComponent).join(':'),
    );
  }
}

function refused(description: string): FakeAnswer {
  return { status: 400, json: { error: 'invalid_request', error_description: description } };
}
