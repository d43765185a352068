import type { z } from 'zod';
import type {
  AttemptContext,
  Channel,
  LookupAnswer,
  LookupContext,
  MadeReady,
  ReadyContext,
  Readying,
} from '../../../bolts/channel';
import type { Clock } from '../../../topology/core/clock';
import { DAY_MS } from '../../../topology/core/lateness';
import type { Limits } from '../../../topology/core/limits';
import type { ChannelClass, Outcome } from '../../../topology/message';
import type { MediaItem } from '../../../topology/payloads/media';
import type { ObjectSchema } from '../../../topology/payloads/object-schema';
import type { ChannelName, Payload } from '../../../topology/payloads/payloads';
import type { BoltSettings } from '../../../topology/settings/topology-settings';
import { type ChannelKind, type ChannelOptions, channelKind, type WhoAmI } from '../channel-kind';
import { AddressPolicy } from '../http/address-policy';
import { HttpCaller } from '../http/http-caller';
import { Media } from '../media/media';
import type { MediaTaken } from '../media/media-fetch';
import type { MediaFile } from '../media/media-file';
import { checkPublic } from '../media/public-media';
import { appAt, trusted } from './allowance';
import { apiOf, type GatedApi } from './api';
import { inTime } from './in-time';
import { judged } from './judged';
import { type ContentOf, type MessageContent, mediaOfPackage, readNow, readWhenCalled } from './message-content';
import { PostOwners } from './post-owners';
import { ProviderAccounts, readyOf } from './provider-accounts';
import { ProviderSessions } from './provider-sessions';
import { readJson, readPayload } from './read-payload';
import { lifetimeIn, ProviderRefresh, REQUEST_MS, type Refresh } from './refresh';
import { namesVideo, VideoKeeping } from './video';

/** Where a provider fetches media itself, all that is asked for before a message is begun within so many times the time-out. */
const FETCHING_TIMES_TIMEOUT = 6;

/** What every call of a provider's channel is given. */
interface Asking<Credentials> {
  readonly account: string;
  readonly credentials: Credentials;
  /** Of the provider's API, where the topology names one. */
  readonly apiVersion?: string | undefined;
  /** Makes a request of which nobody sees an effect. */
  readonly ask: GatedApi;
  /** Of the channel's accounts, where its provider has such. */
  readonly sessions: ProviderSessions;
}

/** What looking for a message among posts without keys is given besides. */
interface Comparing {
  /** The first of these receipts that no other message has, if there is one: from then on it is this one's. */
  readonly claimFirst: (receipts: readonly string[]) => ReturnType<PostOwners['claimFirst']>;
}

/** What is given to whatever comes before the request that makes a message visible, also when that is made ready some time before. */
export interface Preparing<Credentials> extends Asking<Credentials>, Omit<AttemptContext, 'mayStart'> {
  /** Of the payload's media, in their order; none where it has none, or where `video` names what an earlier attempt has uploaded. */
  readonly files: readonly MediaFile[];
  /** Of the payload. */
  readonly media: readonly MediaItem[];
  /** Where the message has one medium, and the provider is given videos ahead of their post; of all its media, where it keeps images too. */
  readonly video?: VideoKeeping | undefined;
  /** Of a request, milliseconds. */
  readonly timeoutMs: number;
  /** Waits, for as long as the provider works on what it was given. Milliseconds. */
  readonly wait: (ms: number) => Promise<void>;
  /** Epoch milliseconds: no request of the message began earlier. */
  readonly notBefore: number;
  /** An earlier attempt may have been accepted, and no lookup has just not found it. */
  readonly isUnasked: boolean;
}

/** What making a message visible is given. */
export interface Publishing<Credentials> extends Preparing<Credentials>, Comparing {
  /**
   * Makes the one request that can make the message visible: it asks the bolt in the tick of its write. Called again only
   * after an answer that says that nothing was taken.
   */
  readonly publish: GatedApi;
}

export interface Looking<Credentials> extends Asking<Credentials>, Comparing, LookupContext {
  /** Of the payload: another message may have the same text. */
  readonly media: readonly MediaItem[];
}

/** A channel over HTTP to one provider: what differs from provider to provider. All of it is a function of what it is given. */
export interface Provider<Name extends ChannelName, Class extends ChannelClass, Schema extends z.ZodObject, Prepared> {
  readonly name: Name;
  readonly class: Class;
  readonly keyLifetimeMs?: number;
  /** Of its payload, where that is none of topology/payloads. It is the code of a package, so a message is claimed before it is used. */
  readonly payload?: ObjectSchema;
  /** Where the lookup claims posts: what the receipt of one is, for people who settle a message. */
  readonly receiptIs?: string;
  /** What it documents that it allows. */
  readonly limits?: Limits;
  /** How long after its time-out a request may still be accepted, and its key be written, milliseconds. */
  readonly acceptedLateMs: number;
  /** What it takes of the media of a message, where it takes any. */
  readonly media?: MediaTaken;
  /** Where it is given videos ahead of their post: whose they are then. */
  readonly videoOwner?: (credentials: z.infer<Schema>) => string;
  /** It keeps what its provider has of images as it keeps it of a video, so all media of a message are given ahead of their post. */
  readonly keepsImages?: true;
  /** It fetches media itself, so their URLs go to it as they are. */
  readonly fetchesMedia?: true;
  /** What an account needs. Each field says how it is asked for. */
  readonly credentials: Schema;
  /** Scheme, host and port that the account's messages go to, as far as it is known. */
  readonly originOf: (credentials: z.infer<Schema>, sessions: ProviderSessions) => string;
  /** By which the provider knows the app that the account is connected by, where its credentials say it. */
  readonly appOf?: (credentials: z.infer<Schema>) => string | undefined;
  /** Makes a payload ready before its instant. @throws BadRecord for what the schema does not see */
  readonly prepare: (payload: Payload<Name>) => Prepared;
  readonly send: (prepared: Prepared, sending: Publishing<z.infer<Schema>>) => Promise<Outcome | 'not_started'>;
  /**
   * Does before the instant what `send` does before its last call, and keeps what it has made, so that `send` finds it. Where videos are
   * given ahead of their post only for those, or for all media that it keeps.
   */
  readonly makeReady?: (prepared: Prepared, preparing: Preparing<z.infer<Schema>>) => Promise<MadeReady>;
  /** Whether that can be done now; always where it is not given. */
  readonly canMakeReady?: (credentials: z.infer<Schema>, sessions: ProviderSessions) => boolean;
  readonly lookup?: (prepared: Prepared, looking: Looking<z.infer<Schema>>) => Promise<LookupAnswer>;
  /** How credentials that end are refreshed. Without it they end. */
  readonly refresh?: Refresh<z.infer<Schema>>;
  /** Asks whose the credentials are; nothing else happens. */
  readonly whoAmI: (asking: Asking<z.infer<Schema>>) => Promise<WhoAmI>;
  /** Loads what takes long to be loaded, when the channel is built. */
  readonly load?: () => void;
}

interface Message<Prepared> {
  readonly account: string;
  /** Undefined where the account's credentials were not known when it was prepared. */
  readonly origin: string | undefined;
  readonly content: ContentOf<Prepared>;
}

/** The part that all providers' channels over HTTP share. */
class ProviderChannel<Name extends ChannelName, Class extends ChannelClass, Schema extends z.ZodObject, Prepared>
  implements Channel<Message<Prepared>>
{
  readonly name: Name;
  readonly class: Class;
  readonly acceptedWithin: number;
  readonly keyLifetimeMs?: number;
  readonly lookup?: NonNullable<Channel<Message<Prepared>>['lookup']>;
  readonly refresh?: ProviderRefresh<Schema>;
  readonly readying?: Readying<Message<Prepared>>;
  readonly appOf?: NonNullable<Channel['appOf']>;
  private readonly accounts: ProviderAccounts<Schema>;
  private readonly media: Media | undefined;
  private readonly readyMedia: Media | undefined;
  private readonly clock: Clock;
  private readonly policy: AddressPolicy;
  private readonly sessions = new ProviderSessions();
  private readonly owners: PostOwners;
  /** Messages in doubt that a lookup has just not found, and since when it looked. */
  private readonly absent = new WeakMap<Message<Prepared>, number>();

  constructor(
    private readonly provider: Provider<Name, Class, Schema, Prepared>,
    private readonly caller: HttpCaller,
    private readonly settings: BoltSettings,
    options: ChannelOptions,
    /** For what is made ready before its instant: it takes no connection that messages need. */
    private readonly readyCaller: HttpCaller | undefined,
  ) {
    const { name, credentials: schema, keyLifetimeMs, lookup, media: limits, makeReady } = provider;
    const { timeoutMs, concurrency } = settings;
    const { clock, network, mediaFolder: folder } = options;
    this.clock = clock;
    this.policy = new AddressPolicy(network);
    if (limits !== undefined) this.media = new Media({ clock, network, folder, limits, timeoutMs, concurrency });
    if (makeReady !== undefined && readyCaller !== undefined) {
      // With places of its own, as it has connections of its own.
      const own =
        limits === undefined ? undefined : new Media({ clock, network, folder, limits, timeoutMs, concurrency });
      this.readyMedia = own;
      this.readying = {
        isFor: ({ content }) => this.hasToMakeReady(content),
        make: (message, attempt) => this.makeReady(message, attempt, makeReady, readyCaller),
      };
    }
    this.name = name;
    this.class = provider.class;
    this.acceptedWithin = timeoutMs + provider.acceptedLateMs;
    if (keyLifetimeMs !== undefined) this.keyLifetimeMs = keyLifetimeMs;
    if (lookup !== undefined) this.lookup = (message, context) => this.look(message, context, lookup);
    const { refresh, appOf } = provider;
    if (appOf !== undefined) {
      // It is asked for with each row, and a hash takes longer than a look.
      const apps = new WeakMap<object, string | undefined>();
      this.appOf = (account) => {
        const known = this.accounts.latest(account);
        if (known === undefined) return undefined;
        if (!apps.has(known))
          apps.set(
            known,
            appAt(known, appOf, (own) => provider.originOf(own, this.sessions)),
          );
        return apps.get(known);
      };
    }
    if (refresh !== undefined) {
      this.refresh = new ProviderRefresh(provider, refresh, options, (account) => this.accounts.forget(account));
    }
    this.accounts = new ProviderAccounts(name, schema, options, (own) => refresh?.isPossible(own) === true);
    this.owners = new PostOwners(name, options.receiptsOfOthers);
  }

  warm(accounts: readonly string[]): Promise<void> {
    return this.accounts.load(accounts);
  }

  prepare(account: string, text: string): Message<Prepared> {
    const isOfPackage = this.provider.payload !== undefined;
    if (isOfPackage) readJson(text);
    const content = (isOfPackage ? readWhenCalled : readNow)(() => this.read(text));
    const credentials = this.accounts.known(account);
    const origin = credentials === undefined ? undefined : this.provider.originOf(credentials, this.sessions);
    return { account, origin, content };
  }

  /** Until the account's credentials are known, a place of its own. */
  originOf({ account, origin }: Message<Prepared>): string {
    return origin ?? `${this.name}:${account}`;
  }

  private read(text: string): MessageContent<Prepared> {
    const { payload: schema, fetchesMedia, prepare } = this.provider;
    const payload = readPayload(this.name, text, schema);
    const { media: own = [] } = payload as { readonly media?: readonly MediaItem[] };
    const media = schema === undefined ? own : mediaOfPackage(payload, this.media !== undefined);
    if (fetchesMedia === true) checkPublic(media, this.policy);
    return { prepared: prepare(payload), media };
  }

  private get fetchingMs(): number {
    return FETCHING_TIMES_TIMEOUT * this.settings.timeoutMs;
  }

  async send(message: Message<Prepared>, attempt: AttemptContext): Promise<Outcome | 'not_started'> {
    const { account, origin, content } = message;
    const read = content();
    if ('kind' in read) return read;
    const { prepared, media } = read;
    const ready = await this.accounts.readyOf(account);
    if ('kind' in ready) return ready;
    const { credentials, secrets } = ready;
    const { mayStart, ...context } = attempt;
    const ask = judged(apiOf(this.caller, account, secrets), origin);
    const own = { account, id: attempt.id };
    let isPublishing = false;
    const mayPublish = () => {
      isPublishing = true;
      const may = mayStart();
      if (may) this.owners.begin(own);
      return may;
    };
    const publish = judged(apiOf(this.caller, account, secrets, mayPublish), origin);
    const { apiVersion } = this.settings;
    const wait = (ms: number) => this.clock.sleep(ms);
    const lookedSince = this.absent.get(message);
    const isInDoubt = attempt.inDoubt && !this.absent.delete(message);
    const notBefore = lookedSince ?? attempt.dueAt;
    const comparing = this.comparing({ account, id: attempt.id, notBefore });
    const video = await this.videoOf(media, credentials, attempt);
    const { timeoutMs } = this.settings;
    const sending = {
      ...context,
      ...comparing,
      notBefore,
      isUnasked: isInDoubt,
      credentials,
      apiVersion,
      wait,
      timeoutMs,
      media,
      video,
      sessions: this.sessions,
    };
    const monotonic = () => this.clock.monotonic();
    const send = (files: readonly MediaFile[], until: number) => {
      // What became of a publication is asked for also when the time for what comes before it is over.
      const untilPublished = () => (isPublishing ? Number.POSITIVE_INFINITY : until);
      const within = {
        ask: inTime(ask, untilPublished, monotonic, true),
        publish: inTime(publish, () => until, monotonic, false),
      };
      return this.provider.send(prepared, { ...sending, ...within, files });
    };
    const hasMedia = media.length > 0 && this.media !== undefined;
    // What an earlier attempt has uploaded is not fetched again.
    const sent =
      hasMedia && video?.id === undefined
        ? this.media.with(account, media, attempt.now, send)
        : send(
            [],
            hasMedia || this.provider.fetchesMedia === true ? monotonic() + this.fetchingMs : Number.POSITIVE_INFINITY,
          );
    const outcome = await this.owners.sent(own, sent);
    const ended = trusted(await this.accounts.judged(account, ready, outcome), credentials);
    return hasMedia && isInDoubt && !isPublishing ? stillInDoubt(ended) : ended;
  }

  private hasToMakeReady(content: ContentOf<Prepared>): boolean {
    const read = content();
    if ('kind' in read) return false;
    const { videoOwner, keepsImages } = this.provider;
    return videoOwner === undefined || (keepsImages === true ? read.media.length > 0 : namesVideo(read.media));
  }

  private async makeReady(
    { account, origin, content }: Message<Prepared>,
    { mayStart, ...context }: ReadyContext,
    make: NonNullable<typeof this.provider.makeReady>,
    caller: HttpCaller,
  ): Promise<MadeReady> {
    const read = content();
    if ('kind' in read) return read;
    const { prepared, media } = read;
    const ready = await this.accounts.readyOf(account);
    if ('kind' in ready) return ready;
    if (ready.isTrial) {
      // Whether they serve again is for a message to find out.
      await this.accounts.judged(account, ready, 'not_started');
      return 'not_started';
    }
    const { credentials, secrets } = ready;
    if (this.provider.canMakeReady?.(credentials, this.sessions) === false) return 'not_started';
    const { apiVersion, timeoutMs } = this.settings;
    const api = judged(apiOf(caller, account, secrets), origin);
    const ask: GatedApi = (request, may) => api(request, () => mayStart() && may?.() !== false);
    const video = await this.videoOf(media, credentials, context);
    const preparing = {
      ...context,
      notBefore: context.dueAt,
      inDoubt: false,
      isUnasked: false,
      credentials,
      apiVersion,
      wait: (ms: number) => this.clock.sleep(ms),
      timeoutMs,
      media,
      video,
      sessions: this.sessions,
    };
    const monotonic = () => this.clock.monotonic();
    const work = (files: readonly MediaFile[], until: number) =>
      make(prepared, { ...preparing, ask: inTime(ask, () => until, monotonic, true), files });
    const isFetched = media.length > 0 && this.readyMedia !== undefined && video?.id === undefined;
    const made = isFetched
      ? await this.readyMedia?.with(account, media, context.now, work)
      : await work([], monotonic() + this.fetchingMs);
    return made === undefined || made === 'ready' ? 'ready' : trusted(made, credentials);
  }

  private async videoOf(
    { length }: readonly MediaItem[],
    credentials: z.infer<Schema>,
    { kept }: Pick<AttemptContext, 'kept'>,
  ): Promise<VideoKeeping | undefined> {
    const { videoOwner, keepsImages } = this.provider;
    const isKept = length === 1 || (keepsImages === true && length > 0);
    if (videoOwner === undefined || kept === undefined || !isKept) return undefined;
    return VideoKeeping.of(kept, videoOwner(credentials));
  }

  async close(): Promise<void> {
    const parts = [this.caller, this.media, this.readyCaller, this.readyMedia, this.refresh];
    await Promise.all(parts.map(async (part) => part?.close()));
  }

  private async look(
    message: Message<Prepared>,
    context: LookupContext,
    lookup: NonNullable<typeof this.provider.lookup>,
  ): Promise<LookupAnswer> {
    const { account, content } = message;
    const read = content();
    if ('kind' in read) return { kind: 'unknown', reason: read.reason };
    const { prepared, media } = read;
    const ready = await this.accounts.readyOf(account);
    if ('kind' in ready) return ready;
    const { credentials, secrets } = ready;
    const { apiVersion } = this.settings;
    const ask = apiOf(this.caller, account, secrets);
    const asking = { ...context, credentials, apiVersion, ask, sessions: this.sessions };
    const answer = await lookup(prepared, { ...asking, ...this.comparing({ ...context, account }), media });
    if (answer.kind === 'absent') this.absent.set(message, context.notBefore);
    return this.accounts.judged(account, ready, answer);
  }

  private comparing(of: Parameters<PostOwners['claimFirst']>[1]): Comparing {
    return { claimFirst: (receipts) => this.owners.claimFirst(receipts, of) };
  }
}

/**
 * An image that is gone does not say whether an earlier attempt was accepted: while the key lives the image may come back, and then
 * the provider is asked.
 */
function stillInDoubt(outcome: Outcome | 'not_started'): Outcome | 'not_started' {
  if (outcome === 'not_started' || outcome.kind !== 'rejected') return outcome;
  return { ...outcome, kind: 'retry' };
}

/** The kind of a provider's channel. */
export function providerKind<
  Name extends ChannelName,
  Class extends ChannelClass,
  Schema extends z.ZodObject,
  Prepared,
>(provider: Provider<Name, Class, Schema, Prepared>): ChannelKind<Name, Class> {
  const { name, class: own, credentials: schema, keyLifetimeMs, receiptIs, limits, refresh, whoAmI } = provider;
  return channelKind<Name, Class, Message<Prepared>>({
    name,
    class: own,
    ...(keyLifetimeMs === undefined ? {} : { keyLifetimeMs }),
    ...(receiptIs === undefined ? {} : { receiptIs }),
    ...(limits === undefined ? {} : { limits }),
    sendWithinMs: DAY_MS,
    credentials: schema,
    keepsEarlier: false,
    lifetimeOf: (text) => lifetimeIn(provider, text),
    ...(refresh === undefined ? {} : { refreshMs: REQUEST_MS }),
    whoAmI: async (text, callerOptions) => {
      const caller = new HttpCaller(callerOptions);
      try {
        const { credentials, secrets } = readyOf(name, schema, text);
        return await whoAmI({
          account: '',
          credentials,
          ask: apiOf(caller, '', secrets),
          sessions: new ProviderSessions(),
        });
      } finally {
        await caller.close();
      }
    },
    build: (settings, options) => {
      const { timeoutMs, perOrigin } = settings;
      const { clock, network } = options;
      provider.load?.();
      const open = () => new HttpCaller({ timeoutMs, perOrigin, clock, network });
      const isReadied = provider.makeReady !== undefined && settings.readyAheadMs > 0;
      return new ProviderChannel(provider, open(), settings, options, isReadied ? open() : undefined);
    },
  });
}
