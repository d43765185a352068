import { message, PackageWorld } from './package-world';

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
  ])('as %s', async (_, text, shown) => {
    expect(await quoted(text)).toBe(`the gateway said ${shown}, and no more`);
  });

  test('and a sentence about such a form stays', async () => {
    const sentence = 'Basic authentication is off, the bearer token is missing; a plain /path/of/some/length is kept';
    expect(await quoted(sentence)).toBe(`the gateway said ${sentence}, and no more`);
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
