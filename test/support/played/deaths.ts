import { classOf, keyLifetimeOf } from '../../../connectors/channels/channel-kinds';
import type { NewMessage } from '../../../connectors/mysql/client/client';
import { SecretKey } from '../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../connectors/mysql/secrets/secret-store';
import type { FailPointName } from '../../../deploy/worker/fail-points';
import { systemClock } from '../../../topology/core/clock';
import { image, type MediaHost, MP4 } from '../channels/media-host';
import type { Deployment } from '../stack/deployment';
import { Victim } from '../stack/victim';
import { until } from '../until';
import { accounts, type Played } from './played-providers';

/** How a worker comes to a place. */
interface Place {
  /** Whose messages do. All unless it is given. */
  readonly of?: (played: Played) => boolean;
  /** It is the spout's. */
  readonly isSpout?: true;
  /** It is passed only with what is there when the worker begins. */
  readonly isAtStart?: true;
  /** Messages of each account at one instant. */
  readonly each: number;
  /** From scheduling to the instant, milliseconds. */
  readonly aheadMs: number;
}

/** Sooner than anything is made ready, so that each attempt passes everything. */
const SOON_MS = 1_800;
const FEW = 3;
const isKeeper = ({ keeps }: Played) => keeps !== undefined;
const isBlind = ({ channel }: Played) => classOf(channel) === 'blind';
const endsItsKeys = ({ channel }: Played) => keyLifetimeOf(channel) !== undefined;
/** Elsewhere outcomes are not journaled, because a row in doubt is not simply sent again. */
const hasLastingKeys = ({ channel }: Played) =>
  classOf(channel) === 'idempotent' && keyLifetimeOf(channel) === undefined;

/** Every place of the flow. */
const places: { readonly [Name in FailPointName]: Place } = {
  'cdc-seen': { isSpout: true, each: FEW, aheadMs: SOON_MS },
  bucketed: { isSpout: true, each: FEW, aheadMs: SOON_MS },
  loaded: { isSpout: true, isAtStart: true, each: FEW, aheadMs: 20_000 },
  'made-ready': { of: isKeeper, each: FEW, aheadMs: 15_000 },
  emitted: { isSpout: true, each: FEW, aheadMs: SOON_MS },
  acknowledged: { isSpout: true, each: FEW, aheadMs: SOON_MS },
  prefetched: { each: FEW, aheadMs: SOON_MS },
  // Of a crowd, where answers are known to come quickly, and never where a claim must not come before its instant. Crowds of all channels
  // at one instant are too slow for that on two cores, so one channel's stands for all: what follows a claim is the same.
  'claim-committed-ahead': { of: hasLastingKeys, each: 80, aheadMs: 4_000 },
  'claim-committed': { each: FEW, aheadMs: SOON_MS },
  'offset-committed': { each: FEW, aheadMs: SOON_MS },
  'ids-kept': { of: isKeeper, each: FEW, aheadMs: SOON_MS },
  'request-sent': { each: FEW, aheadMs: SOON_MS },
  'answer-received': { each: FEW, aheadMs: SOON_MS },
  journaled: { of: hasLastingKeys, each: 80, aheadMs: 4_000 },
  'written-back': { each: FEW, aheadMs: SOON_MS },
};
const placeNames = Object.keys(places) as FailPointName[];
/** They name no channel: what the feed brings is of all. */
const OF_THE_FEED: ReadonlySet<FailPointName> = new Set(['cdc-seen', 'bucketed']);

/** A crowd has been sent within this time from its instant, milliseconds. */
const SENT_WITHIN_MS = 6_000;
const CROWDS = 12;
/** For workers to come and go, milliseconds. */
const LIMIT_MS = 90_000;
const DRAIN_MS = 20_000;
/** A row of a dead worker waits for its lease, and until its request can be accepted no more. */
const RECOVERED_MS = 300_000;
const HOUR_MS = 3_600_000;
const OLD_MS = 2 * HOUR_MS;
/** Of one statement. */
const MAX_SCHEDULED = 500;

/** What a channel's component is to have, because the fakes take more than their providers. */
export const SETTINGS =
  '{ timeout: 3s, readyAhead: 20s, backOff: 200ms, backOffMax: 1s, limits: { perAccount: {}, perApp: {} } }';

/** Gives accounts on all channels their credentials. */
export async function connectAll(
  { sql, world }: Deployment,
  all: readonly Played[],
  those: readonly string[] = accounts,
): Promise<void> {
  const store = new SecretStore(sql, SecretKey.from(world.environment));
  for (const { channel, credentialsOf } of all) {
    for (const account of those) {
      await store.set(account, channel, JSON.stringify(credentialsOf(account)), { replace: true });
    }
  }
}

/**
 * Workers of all channels that die at one place of the flow, each with messages of every channel at it, and what becomes of these: by the
 * class of the channel. Half of those whose provider forgets keys are in doubt for two hours then, and their keys are forgotten.
 */
export class Deaths {
  private readonly sent: ReadonlyMap<Played, Map<number, string>>;
  private crowds = 0;
  private victim: Victim | undefined;

  constructor(
    private readonly deployment: Deployment,
    private readonly all: readonly Played[],
    private readonly host: MediaHost,
  ) {
    this.sent = new Map(all.map((played) => [played, new Map<number, string>()]));
    host.on('/film.mp4', image(MP4, 'video/mp4'));
  }

  static readonly places = placeNames;

  /** A further worker dies at the place, in the midst of messages of all channels. */
  async at(name: FailPointName): Promise<void> {
    const { of = () => true, isSpout = false, isAtStart = false, each, aheadMs } = places[name];
    const those = this.all.filter(of);
    const channels = those.map(({ channel }) => channel);
    const point = { name, action: 'kill', nth: 1, ...(!OF_THE_FEED.has(name) && { of: channels }) } as const;
    const start = () => Victim.start(this.deployment, isSpout ? 'due' : channels.join(','), point);
    const first = isAtStart ? await this.crowd(those, each, aheadMs) : undefined;
    const victim = start();
    this.victim = victim;
    if (first === undefined) await until(`a worker until ${name} is at work`, () => victim.isAtWork(), LIMIT_MS);
    else await this.passes(first, victim);
    // A crowd that was emitted before partitions were handed over may pass a victim by: the next does not.
    for (let crowd = first === undefined ? 0 : 1; victim.end === undefined; crowd++) {
      if (crowd === CROWDS) throw new Error(`no worker came to ${name} with messages of ${channels.join(', ')}`);
      await this.passes(await this.crowd(those, each, aheadMs), victim);
    }
    if (!victim.reached) throw new Error(`a worker ended elsewhere than at ${name}: ${victim.end.how}`);
    await this.forgetOldKeys(those);
    await this.stop();
  }

  /** What does not hold of all that was scheduled, one line each; when everything has ended. */
  async wrong(): Promise<string[]> {
    await this.deployment.settled(RECOVERED_MS);
    const wrong: string[] = [];
    for (const [played, sent] of this.sent) {
      const messages = await this.deployment.client.get([...sent.keys()].map((id) => ({ id })));
      const times = new Map<string, number>();
      for (const text of played.taken()) times.set(text, (times.get(text) ?? 0) + 1);
      for (const [n, [id, text]] of [...sent].entries()) {
        const state = messages[n]?.state;
        const taken = times.get(text) ?? 0;
        // The fakes of blind channels take whatever is requested: who is asked twice has it twice.
        const isRight = state === 'delivered' ? taken === 1 : isBlind(played) && state === 'uncertain' && taken <= 1;
        if (!isRight) wrong.push(`${played.channel} ${id} "${text}": ${state}, taken ${taken} times`);
      }
    }
    return wrong;
  }

  /** Ends what a death has left. */
  async stop(): Promise<void> {
    const { victim } = this;
    this.victim = undefined;
    await victim?.stop(DRAIN_MS);
  }

  /** @returns when the crowd is over, epoch milliseconds */
  private async crowd(those: readonly Played[], each: number, aheadMs: number): Promise<number> {
    const crowd = ++this.crowds;
    const dueAt = systemClock.now() + aheadMs;
    await Promise.all(those.map((played) => this.schedule(played, crowd, each, dueAt)));
    return dueAt + SENT_WITHIN_MS;
  }

  private async schedule(played: Played, crowd: number, each: number, dueAt: number): Promise<void> {
    const { client, sql } = this.deployment;
    const old: number[] = [];
    const texts = Array.from({ length: accounts.length * each }, (_, n) => `number ${n} of crowd ${crowd} here`);
    for (let from = 0; from < texts.length; from += MAX_SCHEDULED) {
      const some = texts.slice(from, from + MAX_SCHEDULED);
      const answers = await client.schedule(some.map((text, n) => this.message(played, text, from + n, dueAt)));
      for (const [n, { id }] of answers.entries()) {
        this.sent.get(played)?.set(id, some[n] as string);
        if (endsItsKeys(played) && (from + n) % 2 === 1) old.push(id);
      }
    }
    // Whoever finds it in doubt keeps since when it was.
    if (old.length === 0) return;
    await sql.run(`UPDATE scheduled_messages SET doubt_since=${dueAt - OLD_MS} WHERE id IN (${old.join(',')})`);
  }

  /** Of every second account, with what its provider is given ahead of the post, where there is such. */
  private message(played: Played, text: string, n: number, dueAt: number): NewMessage {
    const { channel, keeps } = played;
    const account = accounts[n % accounts.length] as string;
    const payload = played.messageOf(text, account);
    const path = keeps === 'video' ? '/film.mp4' : '/cup.png';
    const hasMedia = (keeps === 'video' || keeps === 'image') && n % 2 === 0;
    const media = hasMedia ? { media: [{ url: this.host.url(path), alt: 'a cup' }] } : {};
    return { account, channel, dueAt, payload: { ...payload, ...media } };
  }

  private async passes(over: number, victim: Victim): Promise<void> {
    const isOver = () => victim.end !== undefined || systemClock.now() > over;
    await until('a crowd is over', isOver, LIMIT_MS);
  }

  /** As their providers do, of messages that are in doubt for so long; before anybody may send them again. */
  private async forgetOldKeys(those: readonly Played[]): Promise<void> {
    for (const { channel, forget } of those) {
      if (forget === undefined) continue;
      const rows = await this.deployment.sql.rows<[string]>(
        `SELECT JSON_UNQUOTE(payload->'$.text') FROM scheduled_messages WHERE channel='${channel}' AND open=1 ` +
          `AND doubt_since < ${systemClock.now() - HOUR_MS}`,
      );
      for (const [text] of rows) forget(text);
    }
  }
}
