import type { ChannelName } from '../../../topology/payloads/payloads';

/** An account that a channel takes, and a message of it. */
interface SoundAccount {
  /** Each field that credentials may have. @param server the origin of its server, where the account names one */
  readonly credentials: (server: string) => Readonly<Record<string, string>>;
  /** @param server where a webhook goes */
  readonly payload: (server: string) => object;
}

const expiresAt = '2099-12-31T12:00:00Z';
const appId = '1234567890';
const refreshed = {
  refreshToken: 'refresh-token-of-the-shop',
  clientId: 'client-of-the-app',
  clientSecret: 'secret-of-the-app',
  expiresAt,
};

/** What tests of all channels begin with. */
export const soundAccounts: { readonly [Name in ChannelName]: SoundAccount } = {
  webhook: {
    credentials: () => ({ secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }),
    payload: (url) => ({ url }),
  },
  mastodon: {
    credentials: (instance) => ({ instance, token: 'token-of-the-shop' }),
    payload: () => ({ text: 'a' }),
  },
  telegram: {
    credentials: (server) => ({ server, token: '7000000001:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw' }),
    payload: () => ({ chat: '@shop_news', text: 'a' }),
  },
  discord: {
    credentials: (server) => ({ server, token: 'MTE1NTE0OTEwODE4MzY5NTM2.token' }),
    payload: () => ({ channelId: '155101607195836416', text: 'a' }),
  },
  slack: {
    credentials: (server) => ({ server, token: 'xoxb-token-of-the-shop' }),
    payload: () => ({ conversation: 'C0123456789', text: 'a' }),
  },
  linkedin: {
    credentials: (server) => ({ server, token: 'token-of-the-shop', author: 'urn:li:organization:7', ...refreshed }),
    payload: () => ({ text: 'a' }),
  },
  bluesky: {
    credentials: (server) => ({ server, identifier: 'shop.test', password: 'abcd-efgh-ijkl-mnop' }),
    payload: () => ({ text: 'a' }),
  },
  x: {
    credentials: (server) => ({ server, token: 'token-of-the-shop', userId: '2244994945', ...refreshed }),
    payload: () => ({ text: 'a' }),
  },
  facebook: {
    credentials: (server) => ({
      server,
      page: '100063511021888',
      token: 'EAAB-token-of-the-shop',
      version: 'v25.0',
      appId,
    }),
    payload: () => ({ text: 'a' }),
  },
  instagram: {
    credentials: (server) => ({ server, user: '17841400000000001', token: 'token-of-the-shop', expiresAt, appId }),
    payload: () => ({ media: [{ url: 'https://images.example/cup.jpg' }] }),
  },
  threads: {
    credentials: (server) => ({ server, user: '24000000000000001', token: 'token-of-the-shop', expiresAt, appId }),
    payload: () => ({ text: 'a' }),
  },
  email: {
    credentials: (server) => ({
      host: /^https?:[/\\]*([^/\\]*)/i.exec(server)?.[1] ?? server,
      port: '587',
      security: 'starttls',
      user: 'shop',
      password: 'hush',
      from: 'Shop <shop@example.com>',
    }),
    payload: () => ({ to: 'ann@example.org', subject: 'a', text: 'a' }),
  },
};
