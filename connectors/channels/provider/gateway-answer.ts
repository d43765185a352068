import type { Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';

const NOT_READ = new Set([408, 425]);
const CONFLICT = 409;

/**
 * What an answer means that any server may give, or a gateway before it, where the provider says nothing else of it.
 * @param said what is quoted of the answer
 * @returns undefined for every other answer
 */
export function gatewayAnswer({ status }: Reply, said: string): Outcome | undefined {
  if (NOT_READ.has(status)) return { kind: 'retry', status, reason: `The request was not read (${said})` };
  if (status === CONFLICT) {
    return { kind: 'unknown', status, reason: `The server has a conflict (${said}); it may be with the same message` };
  }
  return undefined;
}
