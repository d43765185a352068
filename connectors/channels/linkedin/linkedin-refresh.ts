import { oauthRefreshed } from '../provider/oauth-refresh';
import type { Refresh } from '../provider/refresh';
import type { LinkedinCredentials } from './linkedin-api';

/** Access tokens of LinkedIn live for sixty days. */
const AHEAD_MS = 7 * 86_400_000;
/** Not where its API is. */
const AUTHORIZATION = 'https://www.linkedin.com';

/** The refresh token stays as it is, and ends a year after the person has connected the account, however often it is used. */
export const linkedinRefresh: Refresh<LinkedinCredentials> = {
  isPossible: ({ refreshToken, clientId, clientSecret }) =>
    refreshToken !== undefined && clientId !== undefined && clientSecret !== undefined,
  isRotating: false,
  aheadMs: AHEAD_MS,
  ask(refreshing) {
    const { refreshToken = '', clientId = '', clientSecret = '', server = AUTHORIZATION } = refreshing.credentials;
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      client_id: clientId,
      client_secret: clientSecret,
    });
    const url = new URL('/oauth/v2/accessToken', server);
    return oauthRefreshed(refreshing, 'LinkedIn', { method: 'POST', url, form });
  },
};
