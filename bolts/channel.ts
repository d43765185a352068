import type { ChannelClass, Outcome } from '../topology/message';
import type { RefreshedCredentials } from './account-refreshes';
import type { IdKeeper, IdKeeping } from './kept-ids';

/** What the provider is told about an attempt. */
export interface AttemptContext {
  readonly id: number;
  readonly account: string;
  /** The same for every attempt of a message, whoever makes it. */
  readonly idempotencyKey: string;
  /** Epoch milliseconds, what the user asked for. A time in a request's body comes from here, so that each attempt has the same. */
  readonly dueAt: number;
  /**
   * An earlier attempt may have been accepted. When the provider says that it has such a message already, this tells whether
   * that is ours, or the user scheduled the same twice.
   */
  readonly inDoubt: boolean;
  /**
   * Says whether the request may begin: the wake has come and the lease holds. The channel asks once, in the tick in which
   * it writes the request to the socket, so the caller can note when the request began. It asks again for a second request,
   * which it may make only after the provider said that it did not take the first one. When the answer is false, the
   * channel writes nothing and the send resolves to `not_started`.
   */
  readonly mayStart: () => boolean;
  /** Epoch milliseconds by the database's clock, because this machine's own may be wrong and a provider checks timestamps. */
  readonly now: () => number;
  /** Ids that the provider gave for the message, kept between attempts. Every bolt gives it. */
  readonly kept?: IdKeeping;
}

/** What making a message ready before its instant is told. */
export type ReadyContext = Omit<AttemptContext, 'inDoubt' | 'kept'> & {
  /** Keeps ids while nobody has claimed the message. What is kept is given to its attempts. */
  readonly kept: IdKeeping;
};

/** What came of it: nothing is left but the last call, or what an attempt would have come to. */
export type MadeReady = 'ready' | 'not_started' | Exclude<Outcome, { kind: 'delivered' }>;

/**
 * What of a message can be made before its instant and is seen by nobody: a container, an upload. It is the same work that an attempt does
 * before its last call. Where it was not done, or not to its end, the attempt does it.
 */
export interface Readying<Prepared = unknown> {
  /** Says, without a question, whether there is such work. */
  readonly isFor: (prepared: Prepared) => boolean;
  /**
   * Does it, and keeps what it has made. `mayStart` is asked in the tick of each request. It takes nothing that messages which are
   * being sent need, and leaves what is wrong with credentials to the attempt. A `retry` is done again if there is time.
   */
  readonly make: (prepared: Prepared, attempt: ReadyContext) => Promise<MadeReady>;
}

/** What a provider is asked about. */
export type LookupContext = Omit<AttemptContext, 'mayStart' | 'kept'> & {
  readonly kept?: IdKeeper;
  /** Epoch milliseconds by the database's clock: no request of this message began earlier. */
  readonly notBefore: number;
};

/** What a provider says of an earlier attempt; or why it could not be asked, which is no answer. */
export type LookupAnswer =
  | { readonly kind: 'accepted'; readonly receipt?: string }
  | { readonly kind: 'absent' }
  /** `afterMs`: how long the provider asked us to wait. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly afterMs?: number }
  | Extract<Outcome, { kind: 'retry' | 'postponed' | 'unusable' }>;

/** What a provider says when it is asked for new credentials. */
export type RefreshAnswer =
  | RefreshedCredentials
  /** Never: these do not serve any more. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Not now. `isLost`: the provider may have made new ones, and nobody has them. `afterMs`: how long it asked us to wait. */
  | { readonly kind: 'later'; readonly reason: string; readonly afterMs?: number; readonly isLost?: true };

/** How credentials of a channel's accounts are refreshed. */
export interface CredentialRefresh {
  /** Whether the old ones end with the answer. When that is lost, they are of no more use. */
  readonly isRotating: boolean;
  /**
   * Asks the provider, within MAX_REFRESH_MS of topology/message. It throws for nothing that the provider does, and Unavailable when the credentials
   * cannot be read.
   * @param credentials as they are kept
   * @param mayStart asked in the tick in which the request is written
   * @param now epoch milliseconds by the database's clock
   */
  readonly ask: (
    account: string,
    credentials: string,
    mayStart: () => boolean,
    now: () => number,
  ) => Promise<RefreshAnswer>;
  /** The account has new credentials in the database: what this worker knows of it is old. */
  readonly replaced?: (account: string) => void;
}

/**
 * How messages leave, one channel per kind of provider. `Prepared` is a payload that was parsed and made ready before its
 * instant. A channel throws for nothing that a provider does, because outcomes are values.
 */
export interface Channel<Prepared = unknown> {
  readonly name: string;
  readonly class: ChannelClass;
  /**
   * Milliseconds after which a request that was started can no longer be accepted; where a key lives for a time, also until the
   * provider knows the key of what it accepted.
   */
  readonly acceptedWithin: number;
  /**
   * Idempotent channels whose provider forgets a key: how long it knows the key at least, milliseconds from when the first
   * request began. A row in doubt for longer is looked up where the channel has a lookup, and ends `uncertain` else. Never when
   * it is not given.
   */
  readonly keyLifetimeMs?: number;
  /** Loads what sending for these accounts needs (secrets, tokens). Throws Unavailable when it cannot be had now. */
  readonly warm: (accounts: readonly string[]) => Promise<void>;
  /** The app by which the account is connected, where its credentials name one and are known: what the provider allows apps counts for it. */
  readonly appOf?: (account: string) => string | undefined;
  /**
   * Parses the payload text. @throws BadRecord naming the field, when it can never be sent; a channel of a package says so when it
   * sends, because code that is not ours runs only for messages that are claimed.
   */
  readonly prepare: (account: string, payload: string) => Prepared;
  /** Scheme, host and port that the request goes to, e.g. `https://example.com`: its slots are taken. */
  readonly originOf: (prepared: Prepared) => string;
  /**
   * Where sending again is not harmless, an answer that does not rule out that the message was accepted is `unknown`: an
   * error of the provider's is not a `retry` there. A `retry` is `unreachable` only if no account's request could have
   * connected: after some of them the origin is down for everybody. What is our own fault is `postponed`.
   */
  readonly send: (prepared: Prepared, attempt: AttemptContext) => Promise<Outcome | 'not_started'>;
  /** Lookup channels, and those whose keys end: whether an earlier attempt was accepted. `absent` must be certain. */
  readonly lookup?: (prepared: Prepared, attempt: LookupContext) => Promise<LookupAnswer>;
  /** Where credentials end and the provider gives others for them. */
  readonly refresh?: CredentialRefresh;
  /** Where there is something to do before the last call that takes long. */
  readonly readying?: Readying<Prepared>;
  readonly close: () => Promise<void>;
}
