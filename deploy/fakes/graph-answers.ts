import type { FakeAnswer } from './fake-provider';

/** An error as Meta's Graph API words it. */
export interface GraphProblem {
  readonly code: number;
  readonly subcode?: number;
  readonly message: string;
  /** What people are told. */
  readonly userMessage?: string;
  readonly isTransient?: boolean;
  /** 400 unless given. */
  readonly status?: number;
}

/** The answer to a request that the Graph API refuses. */
export function graphProblem({
  code,
  subcode,
  message,
  userMessage,
  isTransient = false,
  status = 400,
}: GraphProblem): FakeAnswer {
  const error = {
    message,
    type: 'OAuthException',
    code,
    ...(subcode === undefined ? {} : { error_subcode: subcode }),
    is_transient: isTransient,
    ...(userMessage === undefined ? {} : { error_user_title: 'Not possible', error_user_msg: userMessage }),
    fbtrace_id: 'AbCdEfGhIjKlMnOpQrStUv_',
  };
  return { status, json: { error } };
}

/** What the fake itself refuses, because Meta would, or because nobody may do it. */
export function strictProblem(what: string): FakeAnswer {
  return graphProblem({ code: 100, message: `(#100) strict: ${what}` });
}

/**
 * The header by which Meta says how much of what is allowed is used.
 * @param business the id of the page or account
 * @param used in per cent
 * @param regainMs when calls may go on, milliseconds; Meta says it in minutes
 */
export function businessUsage(business: string, type: string, used: number, regainMs = 0): Record<string, string> {
  const minutes = Math.ceil(regainMs / 60_000);
  const usage = { type, call_count: used, total_cputime: 1, total_time: 1, estimated_time_to_regain_access: minutes };
  return { 'x-business-use-case-usage': JSON.stringify({ [business]: [usage] }) };
}
