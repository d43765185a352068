import { Quotes } from '../../../../connectors/channels/loaded/quotes';
import { message, PackageWorld, requestOf, TOKEN, type Tools } from './package-world';

const base64 = (text: string) => Buffer.from(text).toString('base64');

let world: PackageWorld;

beforeEach(async () => {
  world = await PackageWorld.open();
});

afterEach(() => world.close());

describe('what quotes a secret in another form is left out too', () => {
  const secret = 'shop:pass"wörd /+token-1';
  const quoted = async (text: string) => {
    const reason = `the gateway said ${text}, and no more`;
    const outcome = await world.trial({ send: () => ({ kind: 'rejected', reason }) }, { token: secret }).send(message);
    return (outcome as { readonly reason: string }).reason;
  };

  test.each<[string, string, string]>([
    ['basic authorization', `{"authorization":"Basic ${base64(`user:${secret}`)}"}`, '{"authorization":"Basic …"}'],
    ['bearer authorization', `Bearer ${base64('what a login gave')}`, 'Bearer …'],
    ['base64', `x-key/${base64(`a user: ${secret}`)}`, '…'],
    ['base64 in a URL', encodeURIComponent(base64(secret)), '…'],
    ['base64url', Buffer.from(secret).toString('base64url'), '…'],
    ['a URL', `?token=${encodeURIComponent(secret)}`, '?token=…'],
    ['a form', new URLSearchParams({ token: secret }).toString(), 'token=…'],
    ['JSON', JSON.stringify({ token: secret }), '{"token":"…"}'],
    ['JSON in ASCII', JSON.stringify({ token: secret }).replace('ö', '\\u00f6'), '{"token":"…"}'],
    ['half of it', secret.slice(5), '…'],
    ['the beginning of base64', base64(`user:${secret}`).slice(0, -8), '…'],
    ['the end of base64', base64(`user:${secret}`).slice(24), '…'],
    ['a line in the middle of base64', base64(secret).slice(4, 24), '…'],
  ])('as %s', async (_, text, shown) => {
    expect(await quoted(text)).toBe(`the gateway said ${shown}, and no more`);
  });

  test('and a sentence about such a form stays', async () => {
    const sentence = 'Basic authentication is off, the bearer token is missing; a plain /path/of/some/length is kept';
    expect(await quoted(sentence)).toBe(`the gateway said ${sentence}, and no more`);
  });
});

test.each([
  ['of Latin-1', 'pässwörd', Buffer.from('ann:pässwörd', 'latin1').toString('base64')],
  ['with a plus as JSON may have it', '~~>~~>~~>', base64('~~>~~>~~>').replaceAll('+', '\\u002B')],
])('so is base64 %s', (_, secret, text) => {
  expect(new Quotes([secret]).shown(`{"auth":"${text}"}`, 100)).toBe('{"auth":"…"}');
});

describe('and where base64 is wrapped into lines of 76 characters, with', () => {
  const secret = 'hush-hush7';
  // It stands on both sides of the first line's end.
  const lines = base64(`${'a user of the shop, '.repeat(3).slice(0, 52)}${secret} and no more`).replace(
    /.{76}/,
    '$&\r\n',
  );

  test.each<[string, string]>([
    ['line ends', lines],
    ['spaces', lines.replace('\r\n', ' ')],
    ['line ends as JSON has them', JSON.stringify({ a: lines }).slice(6, -2)],
    ['line ends as a URL has them', encodeURIComponent(lines)],
  ])('%s', (_, text) => {
    expect(lines.split('\r\n')).toHaveLength(2);
    expect(new Quotes([secret]).shown(`{"auth":"${text}"}, and no more`, 1_000)).toBe('{"auth":"…"}, and no more');
  });

  test('a text that is made to take long does not', () => {
    const quotes = new Quotes([secret]);
    for (const part of ['a', 'a/', `${'a'.repeat(60)} `, `${'a'.repeat(60)}\n \n`, 'basic+']) {
      expect(quotes.shown(part.repeat(16_384), 1)).toHaveLength(1);
    }
  });
});

test('a receipt is no sentence, so that what introduces a credential elsewhere is a part of it', async () => {
  const receipt = 'https://sms.example/basic+4915112345678/bearer:m-1000';
  expect(await world.sending(() => ({ kind: 'delivered', receipt })).send(message)).toEqual({
    kind: 'delivered',
    receipt,
  });
  const quoting = `of ${TOKEN} or ${base64(TOKEN)}`;
  expect(await world.sending(() => ({ kind: 'delivered', receipt: quoting })).send(message)).toEqual({
    kind: 'delivered',
    receipt: 'of … or …',
  });
});

test('what a request was authorized by is left out, whatever it is called', async () => {
  const given = 'session-of-the-login';
  const headers = { 'x-auth': given, cookie: `id=${given}-2`, 'x-same': given };
  const quoting = world.sending(async ({ ask, credentials }) => {
    const question = { method: 'GET' as const, url: new URL('/v1/account', credentials.server) };
    for (let n = 0; n < 100; n++) await ask({ ...question, headers: { 'x-n': `${n}` } });
    await ask({ ...question, headers });
    throw new Error(`cannot go on with ${JSON.stringify(headers)}`);
  });
  expect(await quoting.send(message)).toMatchObject({
    reason: 'send of the channel sms failed: cannot go on with {"x-auth":"…","cookie":"id=…","x-same":"…"}',
  });
});

describe('so are parameters that carry a credential:', () => {
  const given = '~session/of(the)login';

  test.each<[string, (tools: Tools) => Promise<unknown>, string]>([
    [
      'of the address',
      async ({ ask, credentials }) => {
        const url = new URL(`/v1/account?access_token=${encodeURIComponent(given)}`, credentials.server);
        await ask({ method: 'GET', url });
        return `${url.search} of ${given}`;
      },
      '?access_token=… of …',
    ],
    [
      'of a form',
      async (tools) => {
        const form = new URLSearchParams({ session: given, author: 'author-7000', idempotency_key: 'key-7000' });
        await tools.publish({ method: 'POST', url: requestOf(tools).url, form });
        return form.toString();
      },
      'session=…&author=author-7000&idempotency_key=key-7000',
    ],
    [
      'of a form in parts',
      async (tools) => {
        const parts = [
          { name: 'author_token', text: given },
          { name: 'title', text: 'title-7000' },
        ];
        await tools.publish({ method: 'POST', url: requestOf(tools).url, parts });
        return JSON.stringify(parts);
      },
      '[{"name":"author_token","text":"…"},{"name":"title","text":"title-7000"}]',
    ],
  ])('%s', async (_, said, shown) => {
    const rejecting = world.sending(async (tools) => ({ kind: 'rejected', reason: await said(tools) }));
    expect(await rejecting.send(message)).toEqual({ kind: 'rejected', reason: shown });
  });
});
