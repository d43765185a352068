import type { ApiEnd, GatedApi } from './api';

const LATE: ApiEnd = { kind: 'retry', reason: 'The provider took too long with the media of the message' };

/**
 * Begins no request when the time for a message's media is over.
 * @param until monotonic milliseconds; asked at each request
 * @param isCut whether a request that is under way then ends too: never the one that makes a message visible
 */
export function inTime(api: GatedApi, until: () => number, monotonic: () => number, isCut: boolean): GatedApi {
  return (request, may) => {
    const notAfter = until();
    if (monotonic() >= notAfter) return Promise.resolve(LATE);
    return api(isCut ? { ...request, notAfter } : request, may);
  };
}
