import type { ApiRequest } from '../provider/api';
import { oauthRefreshed } from '../provider/oauth-refresh';
import type { Refresh } from '../provider/refresh';
import { originOf, type XCredentials } from './x-api';

/** Access tokens of X live for two hours. */
const AHEAD_MS = 600_000;
/** What X says of a refresh token that was used, instead of `invalid_grant`. */
const ENDED = ['invalid_request'];

/** Each refresh token gives one access token, and the next refresh token. */
export const xRefresh: Refresh<XCredentials> = {
  isPossible: ({ refreshToken, clientId }) => refreshToken !== undefined && clientId !== undefined,
  isRotating: true,
  aheadMs: AHEAD_MS,
  ask: (refreshing) => oauthRefreshed(refreshing, 'X', requestOf(refreshing.credentials), ENDED),
};

/** An app with a secret says who it is by a header, one without by the body. */
function requestOf(account: XCredentials): ApiRequest {
  const { refreshToken = '', clientId = '', clientSecret } = account;
  const url = new URL('/2/oauth2/token', originOf(account));
  const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken });
  if (clientSecret === undefined) {
    form.set('client_id', clientId);
    return { method: 'POST', url, form };
  }
  const client = [clientId, clientSecret].map(encodeURIComponent).join(':');
  return {
    method: 'POST',
    url,
    headers: { authorization: `Basic ${Buffer.from(client).toString('base64')}` },
    form,
  };
}
