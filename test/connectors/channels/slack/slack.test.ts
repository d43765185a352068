import type { AttemptContext, LookupContext } from '../../../../bolts/channel';
import { slack } from '../../../../connectors/channels/slack/slack';
import type { FakeSlackOptions } from '../../../../deploy/fakes/slack';
import { systemClock } from '../../../../topology/core/clock';
import { channelBattery } from '../channel-battery';
import { CONVERSATION, SlackWorld, slackWorld, TOKEN } from './slack-world';

channelBattery('slack', slackWorld);

let world: SlackWorld;
let opened: SlackWorld[] = [];

async function start(options: Partial<FakeSlackOptions> = {}): Promise<void> {
  world = await SlackWorld.open({ burst: 1_000, ...options });
  opened.push(world);
}

afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

const now = () => systemClock.now();
const metadata = (key: string) => ({ event_type: 'downspout', event_payload: { key } });
const found = (ts = '') => ({ kind: 'accepted', receipt: `${CONVERSATION}:${ts}` });

function prepared(payload: object, account: string): unknown {
  return world.channel.prepare(account, JSON.stringify({ conversation: CONVERSATION, ...payload }));
}

function send(payload: object, attempt: Partial<AttemptContext> = {}, account = 'shop') {
  return world.channel.send(prepared(payload, account), {
    id: 1,
    account,
    dueAt: now(),
    inDoubt: false,
    idempotencyKey: 'key-1',
    mayStart: () => true,
    now,
    ...attempt,
  });
}

function lookUp(payload: object, asked: Partial<LookupContext> = {}, account = 'shop') {
  return world.channel.lookup?.(prepared(payload, account), {
    id: 1,
    account,
    dueAt: now(),
    inDoubt: true,
    idempotencyKey: 'key-1',
    now,
    notBefore: now(),
    ...asked,
  });
}

/** Other messages in the conversation. */
async function fill(count: number): Promise<void> {
  const body = Buffer.from(JSON.stringify({ channel: CONVERSATION, text: 'of somebody else' }));
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  const request = { method: 'POST', path: '/api/chat.postMessage', query: new URLSearchParams(), headers, body };
  for (let n = 0; n < count; n++) await world.protocol.handle(request);
}

test('a message goes out as it was written, and the receipt is its conversation and its ts', async () => {
  await start();
  const text = 'Hello *world* &amp; <https://example.com|all>';
  const outcome = await send({ text });
  const first = world.protocol.posts()[0];
  expect(outcome).toEqual({ kind: 'delivered', status: 200, receipt: `${CONVERSATION}:${first?.ts}` });
  const reply = await send({ text: 'yes', replyTo: first?.ts, unfurl: false }, { idempotencyKey: 'key-2' });
  expect(reply).toMatchObject({ kind: 'delivered' });
  expect(world.protocol.posts()).toEqual([
    expect.objectContaining({ app: 'shop', text, thread: undefined, metadata: metadata('key-1') }),
    expect.objectContaining({ text: 'yes', thread: first?.ts, unfurl: false, metadata: metadata('key-2') }),
  ]);
});

test('the body is a function of the row, so each attempt has the same', async () => {
  await start();
  for (const dueAt of [1, 2]) await send({ text: 'a', unfurl: true }, { dueAt });
  const [first, second] = world.server.calls.map(({ body }) => body.toString());
  expect(first).toBe(second);
});

describe('what the answers mean:', () => {
  test.each(['token_revoked', 'token_expired', 'account_inactive', 'invalid_auth', 'org_login_required'])(
    '%s makes the account unusable, and the reason says what to do',
    async (error) => {
      await start();
      world.protocol.revoked.set(TOKEN, error);
      const believed = error === 'invalid_auth' ? { afterMs: 60_000 } : { isFinal: true, generation: 1 };
      expect(await send({ text: 'a' })).toEqual({
        kind: 'unusable',
        status: 200,
        reason: expect.stringContaining(
          `Slack does not take the account's token any more (HTTP 200: ${error}). Connect the account again`,
        ),
        ...believed,
      });
    },
  );

  test('an account without credentials sends nothing, and the reason says what to do', async () => {
    await start();
    expect(await send({ text: 'a' }, {}, 'nobody')).toMatchObject({
      kind: 'unusable',
      reason: expect.stringContaining('downspout accounts set'),
    });
    expect(world.server.calls).toEqual([]);
  });

  test('too many messages to a conversation wait for as long as Slack says', async () => {
    await start({ burst: 1 });
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
    expect(await send({ text: 'b' })).toEqual({
      kind: 'retry',
      status: 429,
      reason: 'The app has posted as often as Slack allows for now (HTTP 429: ratelimited)',
      afterMs: 1_000,
      hold: { of: 'account', ms: 1_000 },
    });
    expect(await send({ text: 'c', conversation: 'C999999999' })).toMatchObject({ kind: 'delivered' });
  });

  test.each([
    ['rate_limited', {}],
    ['message_limit_exceeded', { afterMs: 3_600_000 }],
    ['request_timeout', {}],
  ])('%s was not taken, and is tried again', async (error, more) => {
    await start();
    world.protocol.errors.push({ error, isTaken: false });
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'retry', status: 200, ...more });
  });

  test.each([
    ['channel_not_found', /no such conversation/],
    ['not_in_channel', /not in the conversation; invite it/],
    ['is_archived', /is archived/],
    ['restricted_action_read_only_channel', /does not let the app post there/],
    ['missing_scope', /lacks a permission/],
    ['invalid_blocks', /does not take the message/],
  ])('%s is rejected', async (error, reason) => {
    await start();
    world.protocol.closed.set(CONVERSATION, error);
    const outcome = await send({ text: 'a' });
    expect(outcome).toEqual({ kind: 'rejected', status: 200, reason: expect.stringMatching(reason) });
    expect(outcome).toMatchObject({ reason: expect.stringContaining(`(HTTP 200: ${error})`) });
  });

  test('a reply in a thread that is not there is rejected', async () => {
    await start();
    expect(await send({ text: 'a', replyTo: '1503435956.000247' })).toMatchObject({
      kind: 'rejected',
      reason: expect.stringMatching(/^The message whose thread it goes to is not there/),
    });
  });

  test.each(['fatal_error', 'internal_error', 'service_unavailable', 'team_added_to_org'])(
    'after %s Slack may have the message',
    async (error) => {
      await start();
      world.protocol.errors.push({ error, isTaken: true });
      expect(await send({ text: 'a' })).toMatchObject({ kind: 'unknown', status: 200 });
    },
  );

  test.each([
    [408, 'retry'],
    [425, 'retry'],
    [409, 'unknown'],
  ])('an answer %i of any server is no rejection', async (status, kind) => {
    await start();
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status, json: {} });
    expect(await send({ text: 'a' })).toMatchObject({ kind, status });
  });

  test.each(['fail', 'error', 'drop', 'vanish', 'hang'] as const)(
    'a server that does "%s" may have the message',
    async (order) => {
      await start();
      world.server.order({ do: order });
      expect(await send({ text: 'a' })).toMatchObject({ kind: 'unknown' });
    },
  );

  test.each([{}, { ok: true }, { ok: false }, []])('the answer %j is no delivery', async (json) => {
    await start();
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 200, json });
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'unknown', status: 200 });
  });
});

describe('a message in doubt', () => {
  test('is found by its key, whatever its text', async () => {
    await start();
    world.server.order({ do: 'drop' });
    expect(await send({ text: 'same' })).toMatchObject({ kind: 'unknown' });
    await send({ text: 'same' }, { idempotencyKey: 'key-2' });
    const [first, second] = world.protocol.posts();
    expect(await lookUp({ text: 'same' })).toEqual(found(first?.ts));
    expect(await lookUp({ text: 'same' }, { idempotencyKey: 'key-2' })).toEqual(found(second?.ts));
    expect(await lookUp({ text: 'same' }, { idempotencyKey: 'key-3' })).toEqual({ kind: 'absent' });
    expect(await lookUp({ text: 'same', conversation: 'C999999999' })).toEqual({ kind: 'absent' });
  });

  test('is found in its thread, which the history of its conversation does not have', async () => {
    await start();
    await send({ text: 'parent' });
    const replyTo = world.protocol.posts()[0]?.ts;
    await send({ text: 'reply', replyTo }, { idempotencyKey: 'key-2' });
    const asked = { idempotencyKey: 'key-2' };
    expect(await lookUp({ text: 'reply', replyTo }, asked)).toMatchObject({ kind: 'accepted' });
    expect(await lookUp({ text: 'reply' }, asked)).toEqual({ kind: 'absent' });
    expect(await lookUp({ text: 'reply', replyTo }, { idempotencyKey: 'key-3' })).toEqual({ kind: 'absent' });
  });

  test('is looked for among the messages since the first attempt, less five minutes for clocks that differ', async () => {
    await start();
    await send({ text: 'a' });
    expect(await lookUp({ text: 'a' }, { notBefore: now() + 290_000 })).toMatchObject({ kind: 'accepted' });
    expect(await lookUp({ text: 'a' }, { notBefore: now() + 310_000 })).toEqual({ kind: 'absent' });
    expect(await lookUp({ text: 'b' }, { idempotencyKey: 'key-2', now: () => now() + 400_000 })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('clock'),
    });
  });

  test('is looked for behind newer messages, and beyond too many of them nothing is certain', async () => {
    await start({ burst: 10_000 });
    await send({ text: 'a' });
    await fill(450);
    expect(await lookUp({ text: 'a' })).toMatchObject({ kind: 'accepted' });
    await fill(1_600);
    expect(await lookUp({ text: 'a' })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('too many'),
    });
  });

  test.each([{ event_type: 'downspout' }, { event_type: 'downspout', event_payload: {} }])(
    'is not known of where Slack shows %j and no key',
    async (shown) => {
      await start();
      await send({ text: 'a' });
      const handle = world.protocol.handle.bind(world.protocol);
      jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
        const { json, ...answer } = await handle(request);
        const { messages = [], ...more } = json as { messages?: object[] };
        return { ...answer, json: { ...more, messages: messages.map((one) => ({ ...one, metadata: shown })) } };
      });
      expect(await lookUp({ text: 'a' })).toMatchObject({
        kind: 'unknown',
        reason: expect.stringContaining('does not show the keys'),
      });
    },
  );

  test('is not known of when a ts is none', async () => {
    await start();
    const json = { ok: true, messages: [{ ts: TOKEN, metadata: metadata('key-1') }] };
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 200, json });
    const looked = await lookUp({ text: 'a' });
    expect(looked).toMatchObject({ kind: 'unknown' });
    expect(JSON.stringify(looked)).not.toContain(TOKEN);
  });

  test('is not known of while Slack does not answer, is asked too often, or does not show the conversation', async () => {
    await start({ questions: 1 });
    expect(await lookUp({ text: 'a' }, {}, 'lost')).toMatchObject({ kind: 'retry', unreachable: true });
    expect(await lookUp({ text: 'a' }, {}, 'nobody')).toMatchObject({ kind: 'unusable' });
    expect(await lookUp({ text: 'a' })).toEqual({ kind: 'absent' });
    expect(await lookUp({ text: 'a' })).toMatchObject({
      kind: 'unknown',
      reason: 'HTTP 429: ratelimited',
      afterMs: expect.any(Number),
    });
    await start();
    world.protocol.closed.set(CONVERSATION, 'not_in_channel');
    expect(await lookUp({ text: 'a' })).toMatchObject({ kind: 'unknown', reason: 'HTTP 200: not_in_channel' });
  });
});

describe('credentials', () => {
  const options = { timeoutMs: 1_000, perOrigin: 1, clock: systemClock, network: { allowPrivateAddresses: true } };

  test('can be tried without a message', async () => {
    await start();
    const ask = (token: string) => slack.whoAmI?.(JSON.stringify({ token, server: world.server.url }), options);
    expect(await ask(TOKEN)).toEqual({ kind: 'ok', name: '@shop at Test' });
    expect(await ask('xoxb-another')).toEqual({ kind: 'no', reason: 'HTTP 200: invalid_auth' });
    expect(world.protocol.posts()).toEqual([]);
  });

  test('go to Slack unless another server is named, and to none in clear', () => {
    expect(slack.credentials.safeParse({ token: TOKEN }).success).toBe(true);
    expect(slack.credentials.safeParse({ token: TOKEN, server: 'https://gateway.example' }).success).toBe(true);
    expect(slack.credentials.safeParse({ token: TOKEN, server: 'http://gateway.example' }).success).toBe(false);
    expect(slack.credentials.safeParse({ token: 'two\nlines' }).success).toBe(false);
  });
});
