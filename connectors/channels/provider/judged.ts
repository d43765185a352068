import type { GatedApi } from './api';

/** That a server cannot be reached says nothing of another one, whose slots the message took. */
export function judged(api: GatedApi, slotsOf: string | undefined): GatedApi {
  return async (request, may) => {
    const ended = await api(request, may);
    if (slotsOf === undefined || request.url.origin === slotsOf) return ended;
    return ended !== 'not_started' && ended.kind === 'retry' ? { kind: 'retry', reason: ended.reason } : ended;
  };
}
