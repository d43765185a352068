import { once } from 'node:events';
import { z } from 'zod';
import { checkDefinition } from '../../../../connectors/channels/loaded/definition';
import { loadedKind } from '../../../../connectors/channels/loaded/loaded-kind';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { UserError } from '../../../../topology/core/errors';
import { MAX_REFRESH_MS } from '../../../../topology/message';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import { ManualClock } from '../../../support/manual-clock';
import sms from './example/downspout-sms';
import { attempt, forever, message, PackageWorld, requestOf, TOKEN, type Tools, throwing } from './package-world';

/** Code whose time is over has run for seven times as long, milliseconds. */
const TIMEOUT_MS = 100;

let world: PackageWorld;

beforeEach(async () => {
  world = await PackageWorld.open();
});

afterEach(() => world.close());

describe('1. Whatever the code does ends as an outcome', () => {
  const garbage = { kind: 'retry', reason: 'send of the channel sms answered with what is no answer' };

  test.each<[string, () => unknown, string]>([
    ['throws', throwing, 'send of the channel sms failed: this is not what it seems'],
    ['rejects', () => Promise.reject(new Error('not now')), 'send of the channel sms failed: not now'],
    ['rejects with nothing', () => Promise.reject(), 'send of the channel sms failed: undefined'],
    ['never ends', forever, `send of the channel sms failed: it did not end within ${7 * TIMEOUT_MS} ms`],
  ])('it %s', async (_, send, reason) => {
    expect(await world.sending(send, TIMEOUT_MS).send(message)).toEqual({ kind: 'retry', reason });
  });

  test.each<[unknown]>([
    [undefined],
    [null],
    ['delivered'],
    [{}],
    [{ kind: 'sent' }],
    [{ kind: 'retry' }],
    [{ kind: 'retry', reason: 7 }],
    [{ kind: 'retry', reason: 'later', afterMs: Number.NaN }],
    [{ kind: 'retry', reason: 'later', afterMs: -1 }],
    [{ kind: 'delivered', receipt: { id: 1 } }],
    [{ kind: 'delivered', status: '200' }],
  ])('it answers %j', async (answer) => {
    expect(await world.sending(() => answer).send(message)).toEqual(garbage);
  });

  test('what is more than an outcome is left out of it', async () => {
    const outcome = await world
      .sending(() => ({ kind: 'delivered', receipt: 'm-1', more: 'x'.repeat(10) }))
      .send(message);
    expect(outcome).toEqual({ kind: 'delivered', receipt: 'm-1' });
  });

  test('an unknown outcome may be final', async () => {
    const final = { kind: 'unknown', reason: 'moved', isFinal: true };
    expect(await world.sending(() => final).send(message)).toEqual(final);
  });

  test.each<['lookup' | 'whoAmI', () => unknown, object]>([
    ['lookup', throwing, { kind: 'unknown', reason: 'lookup of the channel sms failed: this is not what it seems' }],
    [
      'lookup',
      async () => 'no',
      { kind: 'unknown', reason: 'lookup of the channel sms answered with what is no answer' },
    ],
    ['lookup', forever, { kind: 'unknown', reason: expect.stringContaining('it did not end within') }],
    ['whoAmI', throwing, { kind: 'no', reason: 'whoAmI of the channel sms failed: this is not what it seems' }],
    ['whoAmI', async () => ({ kind: 'ok' }), { kind: 'no', reason: expect.stringContaining('what is no answer') }],
  ])('%s too', async (part, code, answer) => {
    const broken = world.trial({ [part]: code }, { timeoutMs: TIMEOUT_MS });
    expect(await (part === 'lookup' ? broken.lookup(message) : broken.whoAmI())).toEqual(answer);
  });

  test('originOf that fails leaves all accounts in one place', async () => {
    for (const originOf of [throwing, () => undefined, () => 7, () => '']) {
      expect(await world.trial({ originOf }).send(message)).toMatchObject({ kind: 'delivered' });
    }
  });
});

test('3. Code whose time is over begins no request any more', async () => {
  const over = new AbortController();
  const isOver = once(over.signal, 'abort');
  const later: Promise<unknown>[] = [];
  const slow = world.sending((tools) => {
    const requests = async () => {
      await isOver;
      return [await tools.publish(requestOf(tools)), await tools.ask(requestOf(tools))];
    };
    later.push(requests());
    return later[0];
  }, TIMEOUT_MS);
  expect(await slow.send(message)).toMatchObject({ kind: 'retry', reason: expect.stringContaining('did not end') });
  over.abort();
  expect(await Promise.all(later)).toEqual([['not_started', 'not_started']]);
  expect(world.server.calls).toEqual([]);
});

test('a request that waits for a connection when its code ends is not written afterwards', async () => {
  const answers = new AbortController();
  world.gateway.hold(once(answers.signal, 'abort'));
  const isAsked = world.gateway.nextCall();
  let waiting: Promise<unknown> = Promise.resolve();
  const send = async (_: unknown, tools: Tools) => {
    void tools.ask({ method: 'GET', url: new URL('/v1/account', world.server.url) });
    await isAsked;
    waiting = tools.publish(requestOf(tools));
    return { kind: 'retry', reason: 'not now' };
  };
  // One connection, on which the question waits for its answer.
  const channel = world.built({ send }, 1);
  const mayStart = jest.fn(() => true);
  const outcome = await channel.send(channel.prepare('shop', JSON.stringify(message)), attempt(mayStart));
  answers.abort();
  expect(await waiting).toBe('not_started');
  expect(outcome).toEqual({ kind: 'retry', reason: 'not now' });
  expect(mayStart).not.toHaveBeenCalled();
  expect(world.server.calls.map(({ path }) => path)).toEqual(['/v1/account']);
});

test('4. No text of the code quotes a secret of the account', async () => {
  const reason = `the gateway said ${TOKEN}`;
  const texts = [
    await world.sending(() => ({ kind: 'rejected', reason })).send(message),
    await world.sending(() => ({ kind: 'delivered', receipt: `of ${TOKEN}` })).send(message),
    await world.sending(() => Promise.reject(new Error(reason))).send(message),
    await world.trial({ lookup: async () => ({ kind: 'unknown', reason }) }).lookup(message),
    await world.trial({ whoAmI: async () => ({ kind: 'ok', name: TOKEN }) }).whoAmI(),
  ];
  expect(JSON.stringify(texts)).not.toContain(TOKEN);
  expect(texts[0]).toEqual({ kind: 'rejected', reason: 'the gateway said …' });
});

test.each([
  [`https://user:${TOKEN}@sms.test:8443/v1?token=${TOKEN}`, 'https://sms.test:8443'],
  ['HTTPS://SMS.test:443', 'https://sms.test'],
  [`sms.test/${TOKEN}`, 'sms'],
  [`sms:${TOKEN}`, 'sms'],
  [TOKEN, 'sms'],
])('an origin is scheme, host and port, and nothing else of %s', async (origin, taken) => {
  const channel = world.built({ originOf: () => origin });
  await channel.warm(['shop']);
  expect(channel.originOf(channel.prepare('shop', JSON.stringify(message)))).toBe(taken);
});

test('5. The code is given copies of credentials and payloads', async () => {
  const given: unknown[] = [];
  const change = (credentials: { server: string; token: string }) => {
    given.push({ ...credentials });
    credentials.server = 'http://127.0.0.1:1';
    credentials.token = 'another one';
  };
  const answer = { kind: 'unknown', reason: `of ${TOKEN}` };
  const channel = world.built({
    payload: sms.payload.extend({ more: z.any() }),
    originOf: (credentials: Tools['credentials']) => {
      change(credentials);
      return 'https://sms.test';
    },
    send: async (payload: { text: string; more: { text: string } }, { credentials }: Tools) => {
      change(credentials);
      given.push(structuredClone(payload));
      payload.text = 'b';
      payload.more.text = 'b';
      return answer;
    },
    lookup: async (_: unknown, { credentials }: Tools) => {
      change(credentials);
      return answer;
    },
  });
  await channel.warm(['shop']);
  const payload = { ...message, more: { text: 'a' } };
  const prepared = channel.prepare('shop', JSON.stringify(payload));
  const outcomes = [
    await channel.send(prepared, attempt()),
    await channel.send(prepared, attempt()),
    await channel.lookup?.(prepared, { ...attempt(), inDoubt: true, notBefore: 0 }),
  ];
  expect(outcomes).toEqual(Array.from({ length: 3 }, () => ({ kind: 'unknown', reason: 'of …' })));
  const credentials = { server: world.server.url, token: TOKEN };
  expect(given).toEqual([credentials, credentials, payload, credentials, payload, credentials]);
});

test('what a channel is given is what is documented, and nothing else', async () => {
  let given: object = {};
  await world
    .trial({
      send: async (_: unknown, tools: object) => {
        given = tools;
        return { kind: 'delivered' };
      },
    })
    .send(message);
  const documented: Record<keyof Tools, true> = {
    account: true,
    credentials: true,
    ask: true,
    id: true,
    idempotencyKey: true,
    dueAt: true,
    now: true,
    inDoubt: true,
    publish: true,
    files: true,
    wait: true,
  };
  expect(Object.keys(given).toSorted()).toEqual(Object.keys(documented).toSorted());
});

/** It can refresh whatever it is given. */
function changing(credentials: { token: string }): boolean {
  credentials.token = 'changed by the package';
  return true;
}

describe('a package that refreshes credentials:', () => {
  const ended = { server: 'https://sms.example', token: TOKEN };
  const refresh = { isPossible: () => true, isRotating: true, aheadMs: 0, ask: async () => ({}) };

  function channelOf(own: object, clock: Clock = systemClock, more: object = {}) {
    const kind = loadedKind(checkDefinition({ ...sms, ...more, refresh: { ...refresh, ...own } }, 'the channel', []));
    const { bolts } = topologySchema.parse({ components: { sms: { timeout: TIMEOUT_MS } } });
    return kind.build(bolts['sms'] as never, {
      clock,
      network: { allowPrivateAddresses: true },
      secretsOf: async () => new Map(),
    });
  }

  async function answerOf(own: object, more: object = {}) {
    const channel = channelOf(own, systemClock, more);
    try {
      return await channel.refresh?.ask(
        'shop',
        JSON.stringify(ended),
        () => true,
        () => 0,
      );
    } finally {
      await channel.close();
    }
  }

  test('what it gives takes the place of the old ones', async () => {
    const next = { ...ended, token: 'next-token-of-the-shop' };
    const ask = async () => ({ kind: 'refreshed', credentials: next });
    const none = { expiresAt: null, refreshAt: null };
    expect(await answerOf({ ask })).toEqual({ kind: 'refreshed', credentials: JSON.stringify(next), ...none });
  });

  test.each<[string, object]>([
    ['throws', { ask: throwing }],
    ['answers garbage', { ask: async () => ({ kind: 'new' }) }],
    ['gives credentials of which it can make no use', { ask: async () => ({ kind: 'refreshed', credentials: {} }) }],
  ])('one that %s is put off, and may have been made', async (_, own) => {
    expect(await answerOf(own)).toMatchObject({ kind: 'later', isLost: true });
  });

  test('no reason quotes a secret', async () => {
    const refused = { kind: 'refused', reason: `the gateway does not take ${TOKEN}` };
    const shown = await answerOf({ ask: async () => refused });
    expect(shown).toEqual({ kind: 'refused', reason: 'the gateway does not take …' });
  });

  test('nor what their schema throws for the new ones', async () => {
    const next = { ...ended, token: 'next-token-of-the-shop' };
    const credentials = sms.credentials.extend({
      token: sms.credentials.shape.token.refine((token) => {
        if (token === next.token) throw new TypeError(`what is ${token}`);
        return true;
      }),
    });
    const ask = async () => ({ kind: 'refreshed', credentials: next });
    await expect(answerOf({ ask }, { credentials })).rejects.toThrow(
      new UserError('credentials: the schema of sms fails for them: correct them, or install another version.'),
    );
  });

  test.each([1_900_000_000_000, 'soon', null])('an end that cannot be read (%j) costs no token', async (expiresAt) => {
    const [server, token] = [z.string(), z.string()];
    const credentials = z.strictObject({ server, token, expiresAt: z.iso.datetime().optional() });
    const prompts = { ...sms.prompts, expiresAt: { prompt: 'When it ends', isSecret: false } };
    const next = { ...ended, token: 'next-token-of-the-shop' };
    const ask = async () => ({ kind: 'refreshed', credentials: { ...next, expiresAt } });
    const none = { expiresAt: null, refreshAt: null };
    const kept = { kind: 'refreshed', credentials: JSON.stringify(next), ...none };
    expect(await answerOf({ ask }, { credentials, prompts })).toEqual(kept);
  });

  test('one that never ends is put off after the longest time of a refresh, whatever the time-out of messages is', async () => {
    const clock = new ManualClock();
    const channel = channelOf({ ask: forever }, clock);
    const onEnd = jest.fn();
    const asked = channel.refresh
      ?.ask(
        'shop',
        JSON.stringify(ended),
        () => true,
        () => 0,
      )
      .then(onEnd);
    await clock.advance(MAX_REFRESH_MS - 1);
    expect(onEnd).not.toHaveBeenCalled();
    await clock.advance(1);
    await asked;
    expect(onEnd).toHaveBeenCalledWith({
      kind: 'later',
      reason: `refresh of the channel sms failed: it did not end within ${MAX_REFRESH_MS} ms`,
      isLost: true,
    });
    await channel.close();
  });

  test('what it throws is not shown, because new tokens may stand in it', async () => {
    expect(await answerOf({ ask: throwing })).toEqual({
      kind: 'later',
      reason: 'refresh of the channel sms failed: it threw',
      isLost: true,
    });
  });

  test('where it cannot tell whether they can be refreshed, they are not', async () => {
    expect(await answerOf({ isPossible: throwing })).toMatchObject({ kind: 'refused' });
    expect(await answerOf({ isPossible: async () => true })).toMatchObject({ kind: 'refused' });
  });

  test('what it changes of the credentials when it is asked whether they can be refreshed is as it was for the refresh', async () => {
    const tokens: string[] = [];
    const ask = async ({ credentials }: { credentials: { token: string } }) => {
      tokens.push(credentials.token);
      return { kind: 'refused', reason: 'no' };
    };
    await answerOf({ isPossible: changing, ask });
    expect(tokens).toEqual([TOKEN]);
  });

  test('one whose time before the end is no whole number of milliseconds is refused', () => {
    const own = { ...sms, refresh: { ...refresh, aheadMs: 0.1 } };
    expect(() => checkDefinition(own, 'the channel', [])).toThrow(/refresh\.aheadMs/);
  });

  test('one that lacks a part is refused', () => {
    expect(() => checkDefinition({ ...sms, refresh: { isRotating: true } }, 'the channel', [])).toThrow(
      /refresh\.isPossible/,
    );
  });
});
