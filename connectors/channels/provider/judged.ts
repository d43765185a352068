import type { Api } from './api';

/** That a server cannot be reached says nothing of another one, whose slots the message took. */
export function judged(api: Api, slotsOf: string | undefined): Api {
  return async (request) => {
    const ended = await api(request);
    if (slotsOf === undefined || request.url.origin === slotsOf) return ended;
    return ended !== 'not_started' && ended.kind === 'retry' ? { kind: 'retry', reason: ended.reason } : ended;
  };
}
