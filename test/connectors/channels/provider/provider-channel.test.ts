import { z } from 'zod';
import { credentialFields } from '../../../../connectors/channels/credentials';
import { isUnanswered } from '../../../../connectors/channels/provider/api';
import { apiServer } from '../../../../connectors/channels/provider/api-server';
import { providerKind } from '../../../../connectors/channels/provider/provider-channel';
import { systemClock } from '../../../../topology/core/clock';
import type { Outcome } from '../../../../topology/message';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import { storedAs } from '../../../support/channels/stored-accounts';

const AWAY = 'http://127.0.0.1:1';

/**
 * @param origin whose slots its messages take; they go to a server that is away
 * @param held what every message ends with, without a request
 */
function channelOf(origin: string, held?: Outcome, secret = '{"password":"a"}') {
  const kind = providerKind({
    name: 'bluesky',
    class: 'idempotent',
    acceptedLateMs: 0,
    credentials: z.strictObject({
      password: z.string().register(credentialFields, { prompt: 'Password', isSecret: true }),
      server: apiServer(AWAY),
    }),
    originOf: () => origin,
    prepare: ({ text }) => text,
    async send(_, { publish }) {
      if (held !== undefined) return held;
      const ended = await publish({ method: 'POST', url: new URL('/post', AWAY) });
      return isUnanswered(ended) ? ended : { kind: 'delivered' };
    },
    whoAmI: async () => ({ kind: 'no', reason: 'a test' }),
  });
  return kind.build(topologySchema.parse({ components: { bluesky: { timeout: 300 } } }).bolts['bluesky'] as never, {
    clock: systemClock,
    network: { allowPrivateAddresses: true },
    secretsOf: async () => new Map([['shop', storedAs([secret])]]),
  });
}

test.each([
  ['the origin whose slots the message took', AWAY, { unreachable: true }],
  ['another server', 'https://shared.example', {}],
])('a server that cannot be reached counts as down where it is %s', async (_, origin, more) => {
  const channel = channelOf(origin);
  try {
    await channel.warm(['shop']);
    const prepared = channel.prepare('shop', '{"text":"a"}');
    expect(channel.originOf(prepared)).toBe(origin);
    const [id, dueAt, account, idempotencyKey] = [1, 0, 'shop', 'key'];
    const attempt = { id, account, dueAt, idempotencyKey, inDoubt: false, mayStart: () => true, now: () => 0 };
    const outcome = await channel.send(prepared, attempt);
    expect(outcome).toEqual({ kind: 'retry', reason: expect.stringContaining('ECONNREFUSED'), ...more });
  } finally {
    await channel.close();
  }
});

test.each([
  ['the provider itself', '{"password":"a"}', 'app'],
  ['a server that the account names', '{"password":"a","server":"https://mine.example"}', 'account'],
] as const)('what %s says of the app, with %s, holds %s', async (_, secret, of) => {
  const held = { kind: 'retry', reason: 'too many', afterMs: 60_000, hold: { of: 'app', ms: 60_000 } } as const;
  const channel = channelOf(AWAY, held, secret);
  try {
    await channel.warm(['shop']);
    const prepared = channel.prepare('shop', '{"text":"a"}');
    const [id, dueAt, account, idempotencyKey] = [1, 0, 'shop', 'key'];
    const attempt = { id, account, dueAt, idempotencyKey, inDoubt: false, mayStart: () => true, now: () => 0 };
    expect(await channel.send(prepared, attempt)).toEqual({ ...held, hold: { of, ms: 60_000 } });
  } finally {
    await channel.close();
  }
});
