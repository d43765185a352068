import { z } from 'zod';
import type { Outcome } from '../../../topology/message';
import { type Api, isUnanswered } from '../provider/api';
import { isDailyLimit, isMissing, isNotReady, meaningOf } from './container-answers';
import { ContainerMaking, type ContainerPost, type Making, made } from './container-making';
import { type ContainerHost, type ContainerState, receiptOf, stateOf } from './container-state';
import { graphErrorIn } from './graph-error';

/** What an attempt gives. */
interface Containing extends Making {
  /** Makes the one request that can make the post visible. */
  readonly publish: Api;
}

const quota = z.object({
  data: z.array(z.object({ quota_usage: z.number(), config: z.object({ quota_total: z.number() }) })).min(1),
});

/** In these states a container never becomes a post. */
const ENDED: readonly unknown[] = ['MISSING', 'ERROR', 'EXPIRED'] satisfies ContainerState['state'][];

/** In these states Meta shows a container to nobody, and is not about to. */
const UNSEEN: readonly unknown[] = ['FINISHED', 'ERROR', 'EXPIRED'] satisfies ContainerState['state'][];

/**
 * One attempt to publish a post that Meta makes ready first, in a container that nobody sees.
 *
 * 1. *One container becomes one post at most*: its id is kept before it is published, and no other one is made while it may be.
 * 2. *Only what was surely not taken ends without doubt*: a refusal counts when the container's state says the same.
 */
export class ContainerAttempt {
  private readonly making: ContainerMaking;

  constructor(
    private readonly host: ContainerHost,
    private readonly given: Containing,
  ) {
    this.making = new ContainerMaking(host, given);
  }

  async send(post: ContainerPost): Promise<Outcome | 'not_started'> {
    const ready = await this.making.ready(post);
    if (ready === 'not_started' || 'kind' in ready) return ready;
    const ended = await this.publish(ready.container);
    if (ended !== 'not_started' && ended.kind === 'retry') await this.making.refused(ready);
    return ended;
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
      // It may have ended since it was called ready. Nothing was published of it before, so another one is made.
      if (this.making.isUnasked && !isNotReady(reply) && ENDED.includes(state)) {
        return { kind: 'retry', status, reason: meant.reason };
      }
      // It was finished just before, so Meta's "not ready" may be the publication that is under way.
      const isSure = UNSEEN.includes(state) && !isNotReady(reply) && !this.given.inDoubt;
      return isSure ? meant : { ...meant, kind: 'unknown' };
    }
    return meant.kind === 'retry' && isDailyLimit(reply) ? this.withLimit(meant) : meant;
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
}
