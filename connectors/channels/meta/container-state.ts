import { z } from 'zod';
import type { LookupAnswer, LookupContext } from '../../../bolts/channel';
import type { IdKeeper } from '../../../bolts/kept-ids';
import type { Undelivered } from '../http/unreachable';
import { type Api, type ApiRequest, isUnanswered, unclear } from '../provider/api';
import { isMissing, meaningOf, wordsOf } from './container-answers';

/** Fields of a form or a query; those that are undefined are left out. */
export type GraphFields = Readonly<Record<string, string | undefined>>;

/** What differs between the hosts of Meta's on which posts are made ready and published in two steps. */
export interface ContainerHost {
  /** For people. */
  readonly provider: string;
  /** Whose posts they are, and the edges for them. */
  readonly user: string;
  readonly edges: { readonly create: string; readonly publish: string; readonly limit: string };
  /** Fields of a container: what state it is in, and why it failed. */
  readonly status: { readonly state: string; readonly error: string };
  /** Whether it is of no use to make ready again what failed with these words. */
  readonly isHopeless: (why: string) => boolean;
  /** A request for the account. */
  readonly request: (method: 'GET' | 'POST', path: string, fields: GraphFields) => ApiRequest;
}

/** A message of which an earlier attempt may have been accepted. */
interface Doubt extends Pick<LookupContext, 'now' | 'notBefore'> {
  readonly kept: IdKeeper;
  readonly ask: Api;
}

const stateSchema = z.enum(['IN_PROGRESS', 'FINISHED', 'PUBLISHED', 'ERROR', 'EXPIRED']);

/** An unpublished container ends after so long. */
const LIFE_MS = 24 * 3_600_000;

/** How a container is. `MISSING`: Meta does not know it, or not any more. */
export interface ContainerState {
  readonly state: z.infer<typeof stateSchema> | 'MISSING';
  /** Of `ERROR`: what Meta says of it. */
  readonly why: string;
  /** Of the answer that said it. */
  readonly status: number;
}

/** @returns the state; or what it would mean for a message that it was not told */
export async function stateOf(
  host: ContainerHost,
  container: string,
  ask: Api,
): Promise<ContainerState | Undelivered | 'not_started'> {
  const { provider, status, request } = host;
  const reply = await ask(request('GET', container, { fields: `${status.state},${status.error}` }));
  if (isUnanswered(reply)) return reply;
  const body = (reply.json() ?? {}) as Readonly<Record<string, unknown>>;
  const { data: state } = stateSchema.safeParse(body[status.state]);
  if (reply.isOk && state !== undefined) {
    return { state, why: reply.shown(body[status.error] ?? state), status: reply.status };
  }
  if (isMissing(reply)) return { state: 'MISSING', why: wordsOf(reply), status: reply.status };
  const meant = meaningOf(reply, host);
  if (meant.kind === 'unusable' || meant.kind === 'retry') return meant;
  return { kind: 'unknown', reason: `${provider} does not say how the container is (${wordsOf(reply)})` };
}

/**
 * Whether an earlier attempt was accepted. A container is kept before it is published and becomes one post at most, so where none was
 * kept nothing was accepted, and else its state is the answer. Two states do not tell: what is in work may be on its way to its readers,
 * and what Meta says of a published one after a day is not documented.
 */
export async function lookUp(host: ContainerHost, { kept, ask, now, notBefore }: Doubt): Promise<LookupAnswer> {
  const ids = await kept.read();
  const container = ids?.['container'];
  if (container === undefined) return { kind: 'absent' };
  const found = await stateOf(host, container, ask);
  if (found === 'not_started' || 'kind' in found) return unclear(found);
  const { state } = found;
  if (state === 'PUBLISHED') return { kind: 'accepted', receipt: receiptOf(container) };
  // Earlier versions have not kept when it was made.
  const isOld = now() - Number(ids?.['madeAt'] ?? notBefore) > LIFE_MS;
  const reason = ids?.['user'] === host.user ? doubtIn(state, isOld) : "is another user's, whom the account had before";
  if (reason === undefined) return { kind: 'absent' };
  return { kind: 'unknown', reason: `the container ${container} ${reason}` };
}

/** Why a state does not say whether the container was published. */
function doubtIn(state: ContainerState['state'], isOld: boolean): string | undefined {
  if (state === 'MISSING') return 'is not known any more';
  if (state === 'IN_PROGRESS') return 'is still in work';
  return state === 'EXPIRED' && isOld
    ? 'has ended, and is older than a day, so it may have been published before'
    : undefined;
}

/** Where only the container of a post is known. */
export function receiptOf(container: string): string {
  return `container ${container}`;
}

/** Where ids are kept. @throws TypeError where there is nowhere: then nothing may be published */
export function keeping<K extends IdKeeper>(kept: K | undefined): K {
  if (kept === undefined)
    throw new TypeError('this channel keeps ids between attempts, and was given nowhere to keep them');
  return kept;
}
