import { z } from 'zod';
import type { IdKeeping, KeptIds } from '../../../bolts/kept-ids';
import type { Outcome } from '../../../topology/message';
import { type Api, beforehand, isUnanswered, type Unpublished } from '../provider/api';
import { isDailyLimit, isMissing, isNotReady, meaningOf, NOT_READY_MS } from './container-answers';
import { type ContainerHost, type ContainerState, type GraphFields, receiptOf, stateOf } from './container-state';
import { graphErrorIn } from './graph-error';

/** A post as it is made ready: one container, or several and the one that holds them together. */
export interface ContainerPost {
  /** Of a carousel: of each item, in their order. */
  readonly items: readonly GraphFields[];
  /** Of the container that is published, without its `children`. */
  readonly fields: GraphFields;
}

/** What an attempt gives. */
export interface Containing {
  readonly ask: Api;
  /** Makes the one request that can make the post visible. */
  readonly publish: Api;
  readonly wait: (ms: number) => Promise<void>;
  readonly kept: IdKeeping;
  /** An earlier attempt may have been accepted, also where the lookup that came first has not found it. */
  readonly inDoubt: boolean;
}

/** A container that is there, by its id. */
interface Made {
  readonly container: string;
}

/** How a container is that the attempt needs: `missing` when Meta does not know it, `gone` when it never becomes a post. */
type Readiness = 'ready' | 'published' | 'missing' | 'gone';

const made = z.object({ id: z.string().regex(/^[\w-]{1,64}$/) });
const quota = z.object({
  data: z.array(z.object({ quota_usage: z.number(), config: z.object({ quota_total: z.number() }) })).min(1),
});

/** How long Meta is waited for before each further question of an attempt, milliseconds. */
const PATIENCE_MS: readonly number[] = [500, 1_000, 2_000, 3_000, 4_000];
/** Then the message gives its place to others: what was made ready of it is kept. */
const LATER_MS = 15_000;
/** In these states Meta shows a container to nobody, and is not about to. */
const UNSEEN: readonly unknown[] = ['FINISHED', 'ERROR', 'EXPIRED'] satisfies ContainerState['state'][];

/**
 * One attempt to publish a post that Meta makes ready first, in a container that nobody sees.
 *
 * 1. *One container becomes one post at most*: its id is kept before it is published, and no other one is made while it may be.
 * 2. *Only what was surely not taken ends without doubt*: a refusal counts when the container's state says the same.
 */
export class ContainerAttempt {
  private readonly patience = PATIENCE_MS.values();

  constructor(
    private readonly host: ContainerHost,
    private readonly given: Containing,
  ) {}

  async send(post: ContainerPost): Promise<Outcome | 'not_started'> {
    const found = (await this.given.kept.read()) ?? {};
    // Those of another user, whom the account had before, are of no use to this one.
    const ids = found['user'] === this.host.user ? found : {};
    const old = ids['container'];
    if (old !== undefined) {
      const ended = await this.publishReady(old, false);
      if (ended !== 'gone') return ended;
    }
    const begun = await this.create(post, ids);
    if (begun === 'not_started' || 'kind' in begun) return begun;
    const { container } = begun;
    if (!(await this.keep({ container }))) return 'not_started';
    const ended = await this.publishReady(container, true);
    return ended === 'gone' ? this.gaveUp('the post') : ended;
  }

  /** @returns `gone` when the container was not published and never will be */
  private async publishReady(container: string, isNew: boolean): Promise<Outcome | 'not_started' | 'gone'> {
    const ready = await this.untilReady(container, isNew);
    if (ready === 'published') return { kind: 'delivered', receipt: receiptOf(container) };
    if (ready === 'ready') return this.publish(container);
    if (ready !== 'missing') return ready;
    const reason = `the container ${container} is not known any more`;
    return this.given.inDoubt ? { kind: 'unknown', reason } : 'gone';
  }

  /** Makes a container that holds the whole post. */
  private async create({ items, fields }: ContainerPost, ids: KeptIds): Promise<Made | Unpublished> {
    if (items.length === 0) return this.createOne(fields);
    const children = ids['children']?.split(',') ?? [];
    const before = children.length;
    let unmade: Unpublished | undefined;
    for (const item of items.slice(before)) {
      const child = await this.createOne({ ...item, is_carousel_item: 'true' });
      if (child === 'not_started' || 'kind' in child) {
        unmade = child;
        break;
      }
      children.push(child.container);
    }
    if (children.length > before && !(await this.keep({ children: children.join(',') }))) return 'not_started';
    if (unmade !== undefined) return unmade;
    for (const [n, child] of children.entries()) {
      const ready = await this.untilReady(child, n >= before);
      if (ready === 'ready' || ready === 'published') continue;
      if (ready !== 'gone' && ready !== 'missing') return ready;
      // They are made anew, all of them.
      return (await this.keep({})) ? this.gaveUp('an image') : 'not_started';
    }
    return this.createOne({ ...fields, children: children.join(',') });
  }

  private async createOne(fields: GraphFields): Promise<Made | Unpublished> {
    const { user, edges, provider, request } = this.host;
    const reply = await this.given.ask(request('POST', `${user}/${edges.create}`, fields));
    if (isUnanswered(reply)) return beforehand(reply);
    const { data } = made.safeParse(reply.json());
    if (reply.isOk && data !== undefined) return { container: data.id };
    if (!reply.isOk || graphErrorIn(reply) !== undefined) return beforehand(meaningOf(reply, this.host));
    return { kind: 'retry', reason: `${provider} answered HTTP ${reply.status} without the id of a container` };
  }

  /** @param isNew of this attempt's making: not all of Meta's servers may know it yet */
  private async untilReady(container: string, isNew: boolean): Promise<Readiness | Unpublished> {
    const { host, given } = this;
    for (;;) {
      const found = await stateOf(host, container, given.ask);
      if (found === 'not_started' || 'kind' in found) return beforehand(found);
      const { state, why, status } = found;
      if (state === 'FINISHED') return 'ready';
      if (state === 'PUBLISHED') return 'published';
      if (state === 'ERROR' && host.isHopeless(why)) {
        return { kind: 'rejected', reason: `${host.provider} cannot use what it was given (${why})` };
      }
      if (state === 'MISSING' && !isNew) return 'missing';
      if (state !== 'IN_PROGRESS' && state !== 'MISSING') return 'gone';
      const { value: ms } = this.patience.next();
      if (ms === undefined) {
        const reason = `${host.provider} still makes the post ready; what it has done is kept`;
        // With the status of its last answer, so that slots are shared out by how long it takes.
        return { kind: 'retry', status, reason, afterMs: state === 'MISSING' ? NOT_READY_MS : LATER_MS };
      }
      await given.wait(ms);
    }
  }

  private async publish(container: string): Promise<Outcome | 'not_started'> {
    const { user, edges, provider, request } = this.host;
    const reply = await this.given.publish(request('POST', `${user}/${edges.publish}`, { creation_id: container }));
    if (isUnanswered(reply)) return reply;
    const { status } = reply;
    const { data } = made.safeParse(reply.json());
    if (reply.isOk && data !== undefined) return { kind: 'delivered', status, receipt: await this.linkTo(data.id) };
    if (reply.isOk && graphErrorIn(reply) === undefined) {
      return { kind: 'unknown', status, reason: `${provider} answered HTTP ${status} without the id of a post` };
    }
    const meant = meaningOf(reply, this.host);
    if (meant.kind === 'unusable') return meant;
    // What a container's second publication is answered is not documented, so the container's state decides.
    const found = await stateOf(this.host, container, this.given.ask);
    const state = found !== 'not_started' && 'state' in found ? found.state : undefined;
    if (state === 'PUBLISHED') return { kind: 'delivered', status, receipt: receiptOf(container) };
    if (meant.kind === 'rejected' || isMissing(reply) || isNotReady(reply)) {
      // It was finished just before, so Meta's "not ready" may be the publication that is under way.
      const isSure = UNSEEN.includes(state) && !isNotReady(reply) && !this.given.inDoubt;
      return isSure ? meant : { ...meant, kind: 'unknown' };
    }
    return meant.kind === 'retry' && isDailyLimit(reply) ? this.withLimit(meant) : meant;
  }

  private keep(ids: KeptIds): Promise<boolean> {
    return this.given.kept.keep({ ...ids, user: this.host.user });
  }

  /** Says how many posts of how many there were. */
  private async withLimit(meant: Extract<Outcome, { kind: 'retry' }>): Promise<Outcome> {
    const { user, edges, request } = this.host;
    const reply = await this.given.ask(request('GET', `${user}/${edges.limit}`, { fields: 'quota_usage,config' }));
    const [used] = isUnanswered(reply) ? [] : (quota.safeParse(reply.json()).data?.data ?? []);
    if (used === undefined) return meant;
    const { quota_usage: count, config } = used;
    return { ...meant, reason: `${meant.reason}; ${count} of ${config.quota_total} posts are used` };
  }

  /** The post's address, for people; its id where Meta does not say it. */
  private async linkTo(post: string): Promise<string> {
    const reply = await this.given.ask(this.host.request('GET', post, { fields: 'permalink' }));
    if (isUnanswered(reply) || !reply.isOk) return post;
    const { permalink } = (reply.json() ?? {}) as { permalink?: unknown };
    return typeof permalink === 'string' && permalink.startsWith('https://') ? reply.shown(permalink) : post;
  }

  private gaveUp(what: string): Extract<Outcome, { kind: 'retry' }> {
    return { kind: 'retry', reason: `${this.host.provider} gave up ${what} while it made it ready` };
  }
}
