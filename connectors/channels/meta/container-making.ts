import { z } from 'zod';
import type { MadeReady } from '../../../bolts/channel';
import type { IdKeeping, KeptIds } from '../../../bolts/kept-ids';
import type { Outcome } from '../../../topology/message';
import { type Api, beforehand, isUnanswered, type Unpublished } from '../provider/api';
import { isFresh } from '../provider/video';
import { meaningOf, NOT_READY_MS } from './container-answers';
import { type ContainerHost, type GraphFields, receiptOf, stateOf } from './container-state';
import { graphErrorIn } from './graph-error';

/** A post as it is made ready: one container, or several and the one that holds them together. */
export interface ContainerPost {
  /** Of a carousel: of each item, in their order. */
  readonly items: readonly GraphFields[];
  /** Of the container that is published, without its `children`. */
  readonly fields: GraphFields;
}

/** What whoever makes a post ready gives. */
export interface Making {
  readonly ask: Api;
  readonly wait: (ms: number) => Promise<void>;
  readonly kept: IdKeeping;
  /** An earlier attempt may have been accepted, also where the lookup that came first has not found it. */
  readonly inDoubt: boolean;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** A container that is there, by its id. */
interface Made {
  readonly container: string;
  /** Of one that is kept: not after when it was made, epoch milliseconds. Earlier versions have not said it. */
  readonly madeAt?: string | undefined;
}

/** How a container is that is needed: `missing` when Meta does not know it, `gone` when it never becomes a post. */
type ContainerUse = 'ready' | 'published' | 'missing' | 'gone';

export const made = z.object({ id: z.string().regex(/^[\w-]{1,64}$/) });

/** How long Meta is waited for before each further question, milliseconds. */
const PATIENCE_MS: readonly number[] = [500, 1_000, 2_000, 3_000, 4_000];
/** Then the message gives its place to others: what was made ready of it is kept. */
const LATER_MS = 15_000;

/**
 * Makes a post ready that Meta publishes from a container, which nobody sees before: as the first part of an attempt, or some time before it.
 *
 * 1. *No second container is made while the first may be published*: its id is kept before anything else is asked.
 */
export class ContainerMaking {
  private readonly patience = PATIENCE_MS.values();
  private unasked = false;

  constructor(
    private readonly host: ContainerHost,
    private readonly given: Making,
  ) {}

  /** The container was called ready some time ago, and not asked for since. */
  get isUnasked(): boolean {
    return this.unasked;
  }

  /** Before the instant. */
  async ahead(post: ContainerPost): Promise<MadeReady> {
    const found = await this.ready(post);
    if (found === 'not_started') return found;
    // The attempt finds out what has become of one that is published.
    if ('kind' in found) return found.kind === 'delivered' ? 'ready' : found;
    return (await this.keep({ ...idsOf(found), ready: String(this.given.now()) })) ? 'ready' : 'not_started';
  }

  /** @returns the container that only has to be published; or what it means that there is none */
  async ready(post: ContainerPost): Promise<Made | Outcome | 'not_started'> {
    const found = (await this.given.kept.read()) ?? {};
    // Those of another user, whom the account had before, are of no use to this one.
    const ids = found['user'] === this.host.user ? found : {};
    const container = ids['container'];
    if (container !== undefined) {
      const old = { container, madeAt: ids['madeAt'] };
      this.unasked = !this.given.inDoubt && isFresh(ids, this.given.now());
      if (this.unasked) return old;
      const ended = await this.usable(old, false);
      if (ended !== 'gone') return ended;
    }
    const madeAt = String(this.given.now());
    const begun = await this.create(post, ids);
    if (begun === 'not_started' || 'kind' in begun) return begun;
    const fresh = { ...begun, madeAt };
    if (!(await this.keep(idsOf(fresh)))) return 'not_started';
    const ended = await this.usable(fresh, true);
    return ended === 'gone' ? this.gaveUp('the post') : ended;
  }

  /** It was not published after all: where its state was not asked for, the next attempt asks. */
  async refused(found: Made): Promise<void> {
    if (this.unasked) await this.keep(idsOf(found));
  }

  /** @returns `gone` when the container was not published and never will be */
  private async usable(found: Made, isNew: boolean): Promise<Made | Outcome | 'not_started' | 'gone'> {
    const { container } = found;
    const use = await this.untilReady(container, isNew);
    if (use === 'published') return { kind: 'delivered', receipt: receiptOf(container) };
    if (use === 'ready') return found;
    if (use !== 'missing') return use;
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
      const use = await this.untilReady(child, n >= before);
      if (use === 'ready' || use === 'published') continue;
      if (use !== 'gone' && use !== 'missing') return use;
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

  /** @param isNew just made: not all of Meta's servers may know it yet */
  private async untilReady(container: string, isNew: boolean): Promise<ContainerUse | Unpublished> {
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

  private keep(ids: KeptIds): Promise<boolean> {
    return this.given.kept.keep({ ...ids, user: this.host.user });
  }

  private gaveUp(what: string): Extract<Outcome, { kind: 'retry' }> {
    return { kind: 'retry', reason: `${this.host.provider} gave up ${what} while it made it ready` };
  }
}

function idsOf({ container, madeAt }: Made): KeptIds {
  return { container, ...(madeAt === undefined ? {} : { madeAt }) };
}
