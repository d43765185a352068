import { once } from 'node:events';
import { checkDefinition, type SendTools } from '../../../../connectors/channels/loaded/definition';
import { loadedKind } from '../../../../connectors/channels/loaded/loaded-kind';
import { type Trial, tryChannel } from '../../../../connectors/channels/loaded/trial';
import { FakeProvider } from '../../../../deploy/fakes/fake-provider';
import { systemClock } from '../../../../topology/core/clock';
import { BadRecord } from '../../../../topology/core/errors';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import { FakeSms } from '../../../support/channels/fake-sms';
import sms from './example/downspout-sms';

const TOKEN = 'token-of-the-shop';
const message = { to: '+4915112345678', text: 'a' };
/** Code whose time is over has run for seven times as long, milliseconds. */
const TIMEOUT_MS = 100;

type Tools = SendTools<{ server: string; token: string }>;

let server: FakeProvider;
let trials: Trial[] = [];

beforeAll(async () => {
  server = await FakeProvider.start(new FakeSms({ [TOKEN]: 'shop' }), systemClock);
});

afterEach(() => Promise.all(trials.splice(0).map((one) => one.close())));

afterAll(() => server.close());

/** The example with some of it replaced by what no compiler has seen. */
function trial(changes: Readonly<Record<string, unknown>>): Trial {
  const opened = tryChannel(
    { ...sms, ...changes },
    {
      credentials: { server: server.url, token: TOKEN },
      timeoutMs: TIMEOUT_MS,
    },
  );
  trials.push(opened);
  return opened;
}

const sending = (send: (tools: Tools) => unknown) => trial({ send: (_: unknown, tools: Tools) => send(tools) });

const request = ({ credentials: { server: url, token }, idempotencyKey }: Tools) => ({
  method: 'POST' as const,
  url: new URL('/v1/messages', url),
  headers: { authorization: `Bearer ${token}`, 'idempotency-key': idempotencyKey },
  json: message,
});

function forever(): Promise<never> {
  return new Promise<never>(() => undefined);
}

const throwing = (): never => {
  throw new TypeError('this is not what it seems');
};

describe('1. Whatever the code does ends as an outcome', () => {
  const garbage = { kind: 'retry', reason: 'send of the channel sms answered with what is no answer' };

  test.each<[string, () => unknown, string]>([
    ['throws', throwing, 'send of the channel sms failed: this is not what it seems'],
    ['rejects', () => Promise.reject(new Error('not now')), 'send of the channel sms failed: not now'],
    ['rejects with nothing', () => Promise.reject(), 'send of the channel sms failed: undefined'],
    ['never ends', forever, `send of the channel sms failed: it did not end within ${7 * TIMEOUT_MS} ms`],
  ])('it %s', async (_, send, reason) => {
    expect(await sending(send).send(message)).toEqual({ kind: 'retry', reason });
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
    expect(await sending(() => answer).send(message)).toEqual(garbage);
  });

  test('what is more than an outcome is left out of it', async () => {
    const outcome = await sending(() => ({ kind: 'delivered', receipt: 'm-1', more: 'x'.repeat(10) })).send(message);
    expect(outcome).toEqual({ kind: 'delivered', receipt: 'm-1' });
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
    const broken = trial({ [part]: code });
    expect(await (part === 'lookup' ? broken.lookup(message) : broken.whoAmI())).toEqual(answer);
  });

  test('originOf that fails leaves all accounts in one place', async () => {
    for (const originOf of [throwing, () => undefined, () => 7, () => '']) {
      expect(await trial({ originOf }).send(message)).toMatchObject({ kind: 'delivered' });
    }
  });

  test('a schema that throws refuses the payload', async () => {
    const payload = sms.payload.refine(throwing);
    await expect(trial({ payload }).send(message)).rejects.toThrow(BadRecord);
    await expect(trial({ payload }).send(message)).rejects.toThrow(
      'payload: the schema of its channel fails: this is not what it seems',
    );
  });
});

describe('2. A request that may have been taken is not hidden by that', () => {
  test.each<[string, () => unknown]>([
    ['throws after the answer', throwing],
    ['never ends after it', forever],
    ['answers with nothing', () => undefined],
    ['says that it did not begin', () => 'not_started'],
  ])('it %s', async (_, after) => {
    const broken = sending(async (tools) => {
      await tools.publish(request(tools));
      return after();
    });
    expect(await broken.send(message)).toMatchObject({ kind: 'unknown' });
  });

  test.each([
    [
      { kind: 'retry', reason: 'try again', afterMs: 5 },
      { kind: 'unknown', reason: 'try again', afterMs: 5 },
    ],
    [
      { kind: 'rejected', reason: 'never' },
      { kind: 'unknown', reason: 'never' },
    ],
    ['not_started', { kind: 'unknown', reason: 'the channel says that it did not begin, and it had' }],
    [{ kind: 'delivered' }, { kind: 'delivered' }],
  ])('a request without an answer, and then it says %j', async (said, outcome) => {
    server.order({ do: 'drop' });
    const broken = sending(async (tools) => {
      await tools.publish(request(tools));
      return said;
    });
    expect(await broken.send(message)).toEqual(outcome);
  });

  test('what it says of an answer counts', async () => {
    const careful = sending(async (tools) => {
      await tools.publish(request(tools));
      return { kind: 'rejected', reason: 'the answer says so' };
    });
    expect(await careful.send(message)).toEqual({ kind: 'rejected', reason: 'the answer says so' });
  });
});

test('3. Code whose time is over begins no request any more', async () => {
  const over = new AbortController();
  const isOver = once(over.signal, 'abort');
  const later: Promise<unknown>[] = [];
  const slow = sending((tools) => {
    const requests = async () => {
      await isOver;
      return [await tools.publish(request(tools)), await tools.ask(request(tools))];
    };
    later.push(requests());
    return later[0];
  });
  const before = server.calls.length;
  expect(await slow.send(message)).toMatchObject({ kind: 'retry', reason: expect.stringContaining('did not end') });
  over.abort();
  expect(await Promise.all(later)).toEqual([['not_started', 'not_started']]);
  expect(server.calls).toHaveLength(before);
});

test('4. No text of the code quotes a secret of the account', async () => {
  const reason = `the gateway said ${TOKEN}`;
  const texts = [
    await sending(() => ({ kind: 'rejected', reason })).send(message),
    await sending(() => ({ kind: 'delivered', receipt: `of ${TOKEN}` })).send(message),
    await sending(() => Promise.reject(new Error(reason))).send(message),
    await trial({ lookup: async () => ({ kind: 'unknown', reason }) }).lookup(message),
    await trial({ whoAmI: async () => ({ kind: 'ok', name: TOKEN }) }).whoAmI(),
  ];
  expect(JSON.stringify(texts)).not.toContain(TOKEN);
  expect(texts[0]).toEqual({ kind: 'rejected', reason: 'the gateway said …' });
});

test('what a channel is given is what is documented, and nothing else', async () => {
  let given: object = {};
  await trial({
    send: async (_: unknown, tools: object) => {
      given = tools;
      return { kind: 'delivered' };
    },
  }).send(message);
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

describe('a package that refreshes credentials:', () => {
  const ended = { server: 'https://sms.example', token: TOKEN };
  const refresh = { isPossible: () => true, isRotating: true, aheadMs: 0, ask: async () => ({}) };

  function channelOf(own: object) {
    const kind = loadedKind(checkDefinition({ ...sms, refresh: { ...refresh, ...own } }, 'the channel', []));
    const { bolts } = topologySchema.parse({ components: { sms: { timeout: TIMEOUT_MS } } });
    return kind.build(bolts['sms'] as never, {
      clock: systemClock,
      network: { allowPrivateAddresses: true },
      secretsOf: async () => new Map(),
    });
  }

  async function answerOf(own: object) {
    const channel = channelOf(own);
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
    ['never ends', { ask: forever }],
    ['gives credentials of which it can make no use', { ask: async () => ({ kind: 'refreshed', credentials: {} }) }],
  ])('one that %s is put off, and may have been made', async (_, own) => {
    expect(await answerOf(own)).toMatchObject({ kind: 'later', isLost: true });
  });

  test('no reason quotes a secret', async () => {
    const refused = { kind: 'refused', reason: `the gateway does not take ${TOKEN}` };
    const shown = await answerOf({ ask: async () => refused });
    expect(shown).toEqual({ kind: 'refused', reason: 'the gateway does not take …' });
  });

  test('where it cannot tell whether they can be refreshed, they are not', async () => {
    expect(await answerOf({ isPossible: throwing })).toMatchObject({ kind: 'refused' });
  });

  test('one that lacks a part is refused', () => {
    expect(() => checkDefinition({ ...sms, refresh: { isRotating: true } }, 'the channel', [])).toThrow(
      /refresh\.isPossible/,
    );
  });
});
