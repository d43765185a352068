import type { ChannelClass, Outcome } from '../topology/message';

/** What the provider is told about an attempt. */
export interface AttemptContext {
  readonly id: number;
  readonly account: string;
  /** The same for every attempt of a message, whoever makes it. */
  readonly idempotencyKey: string;
  /**
   * Asked in the tick in which the request is written to the socket: the lease still holds. When it says false, nothing
   * is written and the send resolves to `not_started`. Called once, so the caller can note when the request began.
   */
  readonly mayStart: () => boolean;
  /** Epoch milliseconds by the database's clock: this machine's own may be wrong, and the provider would mind. */
  readonly now: () => number;
}

/**
 * How messages leave. One per kind of provider. `Prepared` is a payload that was parsed and made ready before its instant.
 * Nothing here throws for what a provider does: outcomes are values.
 */
export interface Channel<Prepared = unknown> {
  readonly name: string;
  readonly class: ChannelClass;
  /** Milliseconds after which a request that was started can no longer be accepted. */
  readonly acceptedWithin: number;
  /** Loads what sending for these accounts needs (secrets, tokens). Throws Unavailable when it cannot be had now. */
  readonly warm: (accounts: readonly string[]) => Promise<void>;
  /** Parses the payload text. @throws BadRecord naming the field, when it can never be sent. */
  readonly prepare: (account: string, payload: string) => Prepared;
  /** The host whose slots an attempt takes, e.g. `https://example.com`. */
  readonly hostOf: (prepared: Prepared) => string;
  /**
   * Where sending again is not harmless, an answer that does not rule out that the message was taken is `unknown`: an
   * error of the provider's is not a `retry` there.
   */
  readonly send: (prepared: Prepared, attempt: AttemptContext) => Promise<Outcome | 'not_started'>;
  /** Lookup channels: whether an earlier attempt was accepted. `absent` must be certain. */
  readonly lookup?: (
    prepared: Prepared,
    attempt: Omit<AttemptContext, 'mayStart'>,
  ) => Promise<
    | { readonly kind: 'accepted'; readonly receipt?: string }
    | { readonly kind: 'absent' }
    | { readonly kind: 'unknown'; readonly reason: string }
  >;
  readonly close: () => Promise<void>;
}
