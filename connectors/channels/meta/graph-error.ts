import { z } from 'zod';
import type { Reply } from '../http/reply';

/** An error of Meta's Graph API. It says of itself what it is, and comes with any HTTP status, 200 too. */
export interface GraphError {
  /** Undefined where Meta gives none. */
  readonly code: number | undefined;
  readonly subcode: number | undefined;
  /** Such as `OAuthException`. */
  readonly type: string;
  /** Whether Meta says that the same may work soon. */
  readonly isTransient: boolean;
  /** Status, codes and Meta's own words, on one line and without credentials. */
  readonly said: string;
}

const whole = z.number().int().optional().catch(undefined);
const words = z.string().optional().catch(undefined);

/** As Meta's "Handling Errors" has it; Instagram and Threads answer in the same form. */
const refused = z.object({
  error: z.object({
    message: words,
    type: z.string().catch(''),
    code: whole,
    error_subcode: whole,
    is_transient: z.boolean().catch(false),
    error_user_msg: words,
  }),
});

/** The error in an answer. @returns undefined when there is none */
export function graphErrorIn(reply: Reply): GraphError | undefined {
  const { success, data } = refused.safeParse(reply.json());
  if (!success) return undefined;
  const { code, error_subcode: subcode, type, is_transient: isTransient, message, error_user_msg: more } = data.error;
  const number = [code, subcode].filter((one) => one !== undefined).join('/');
  const text = [message, more === message ? undefined : more]
    .filter((one) => one !== undefined)
    .map((one) => reply.shown(one));
  const what = number === '' ? `HTTP ${reply.status}` : `HTTP ${reply.status}, code ${number}`;
  return { code, subcode, type, isTransient, said: `${what}: ${text.join(' ') || 'no reason given'}` };
}
