import { FakeBluesky } from '../../deploy/fakes/bluesky';
import { FakeProvider } from '../../deploy/fakes/fake-provider';
import { systemClock } from '../../topology/core/clock';
import { PNG } from '../support/channels/media-host';
import { Pds } from './servers/pds';

const PASSWORD = 'password-of-the-owner';
const [HANDLE, OTHER] = ['compared.test', 'other-one.test'];
const KEY = '3mabcdefghi2a';
const PICTURED = '3mabcdefghi2c';
/** Of a file of nothing, which nobody has uploaded. */
const NO_BLOB = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku';
const POSTS = 'app.bsky.feed.post';
/** A token that somebody else has signed. What is no token at all is an error inside newer servers. */
const FORGED = [
  { alg: 'HS256', typ: 'at+jwt' },
  { scope: 'com.atproto.access', sub: 'did:plc:none', exp: 2_000_000_000 },
  'signed',
]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.');

/** One of the two servers, with an account that has signed in. */
interface Compared {
  readonly url: string;
  readonly did: string;
  readonly other: string;
  readonly access: string;
  readonly refresh: string;
}

let pds: Pds;
let fake: FakeProvider;
let servers: { readonly real: Compared; readonly fake: Compared };

beforeAll(async () => {
  pds = await Pds.start(false);
  for (const handle of [HANDLE, OTHER]) await pds.join(handle, PASSWORD);
  const passwords = { [HANDLE]: PASSWORD, [OTHER]: PASSWORD };
  fake = await FakeProvider.start(new FakeBluesky({ clock: systemClock, passwords }), systemClock);
  servers = { real: await signIn(pds.url()), fake: await signIn(fake.url) };
}, 600_000);

afterAll(async () => {
  await fake?.close();
  await pds?.stop();
});

async function call(url: string, name: string, body: object | undefined, token?: string) {
  const answer = await fetch(`${url}/xrpc/${name}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(body !== undefined && Object.keys(body).length > 0 && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && Object.keys(body).length > 0 && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, json: (await answer.json()) as Readonly<Record<string, unknown>> };
}

async function signIn(url: string): Promise<Compared> {
  const session = (identifier: string) =>
    call(url, 'com.atproto.server.createSession', { identifier, password: PASSWORD });
  const { json } = await session(HANDLE);
  const { json: other } = await session(OTHER);
  return {
    url,
    did: String(json['did']),
    other: String(other['did']),
    access: String(json['accessJwt']),
    refresh: String(json['refreshJwt']),
  };
}

const post = { $type: POSTS, text: 'compared', createdAt: '2027-01-15T08:00:00.000Z' };

function put({ url, did, access }: Compared, others: object = {}, token: string | undefined = access) {
  const json = { repo: did, collection: POSTS, rkey: KEY, record: post, swapRecord: null, ...others };
  return call(url, 'com.atproto.repo.putRecord', json, token);
}

const record = ({ url, did }: Compared, rkey: string) =>
  call(url, `com.atproto.repo.getRecord?repo=${did}&collection=${POSTS}&rkey=${rkey}`, undefined);

const login = ({ url }: Compared, identifier: string, password: string) =>
  call(url, 'com.atproto.server.createSession', { identifier, password });

const refreshed = ({ url }: Compared, token: string) => call(url, 'com.atproto.server.refreshSession', {}, token);

async function upload({ url, access }: Compared, token: string | undefined = access) {
  const answer = await fetch(`${url}/xrpc/com.atproto.repo.uploadBlob`, {
    method: 'POST',
    headers: { 'content-type': 'image/png', ...(token !== '' && { authorization: `Bearer ${token}` }) },
    body: PNG,
  });
  return { status: answer.status, json: (await answer.json()) as Readonly<Record<string, unknown>> };
}

/** A post with images as many times as there are changes to the one that was uploaded. */
async function pictured(one: Compared, changes: readonly object[], alt: object = { alt: '' }) {
  const { json } = await upload(one);
  const images = changes.map((change) => ({ image: { ...(json['blob'] as object), ...change }, ...alt }));
  return put(one, { rkey: PICTURED, record: { ...post, embed: { $type: 'app.bsky.embed.images', images } } });
}

type Asked = (server: Compared) => ReturnType<typeof call>;

/** In this order: later ones meet what earlier ones left. */
const questions: readonly (readonly [string, Asked])[] = [
  ['a login', (one) => login(one, HANDLE, PASSWORD)],
  ['a login with a wrong password', (one) => login(one, HANDLE, 'wrong-password')],
  ['a login of nobody', (one) => login(one, 'nobody.test', PASSWORD)],
  ['a handle', ({ url }) => call(url, `com.atproto.identity.resolveHandle?handle=${OTHER}`, undefined)],
  ['a handle of nobody', ({ url }) => call(url, 'com.atproto.identity.resolveHandle?handle=nobody.test', undefined)],
  ['a record that is not there', (one) => record(one, KEY)],
  [
    'a post without a session',
    (one) => call(one.url, 'com.atproto.repo.putRecord', { repo: one.did, collection: POSTS, rkey: KEY, record: post }),
  ],
  ['a post in a session that is none', (one) => put(one, {}, FORGED)],
  ['a post in the session of a refresh token', (one) => put(one, {}, one.refresh)],
  ["a post in somebody else's name", (one) => put(one, { repo: one.other })],
  ['a post under a key that is none', (one) => put(one, { rkey: 'downspout-17' })],
  ['a post with too many characters', (one) => put(one, { record: { ...post, text: 'a'.repeat(301) } })],
  ['a post with too many bytes', (one) => put(one, { record: { ...post, text: '👨‍👩‍👧‍👦'.repeat(121) } })],
  ['a post without a zone', (one) => put(one, { record: { ...post, createdAt: '2027-01-15T08:00:00' } })],
  ['a post without a text', (one) => put(one, { record: { $type: POSTS, createdAt: post.createdAt } })],
  ['a post', (one) => put(one)],
  ['the same post again', (one) => put(one)],
  ['another post under its key', (one) => put(one, { record: { ...post, text: 'another' } })],
  ['a record that is there', (one) => record(one, KEY)],
  ['an upload', (one) => upload(one)],
  ['an upload without a session', (one) => upload(one, '')],
  ['an upload in a session that is none', (one) => upload(one, FORGED)],
  ['a post with an image that nobody has uploaded', (one) => pictured(one, [{ ref: { $link: NO_BLOB } }])],
  ['a post with an image of another type', (one) => pictured(one, [{ mimeType: 'image/jpeg' }])],
  ['a post with an image that is none', (one) => pictured(one, [{ mimeType: 'text/plain' }])],
  ['a post with an image that is too large', (one) => pictured(one, [{ size: 3_000_000 }])],
  ['a post with an image of which nothing is said', (one) => pictured(one, [{}], {})],
  ['a post with too many images', (one) => pictured(one, [{}, {}, {}, {}, {}])],
  ['a post with images', (one) => pictured(one, [{}, {}])],
  ['the same post with images again', (one) => pictured(one, [{}, {}])],
  ['a refresh', (one) => refreshed(one, one.refresh)],
  ['a refresh with a token that is none', (one) => refreshed(one, 'none')],
];

describe('the stand-in for rehearsals answers as the server does to', () => {
  test.each(questions)('%s', async (_, asked) => {
    const meaning = async (server: Compared) => {
      const { status, json } = await asked(server);
      const { commit, validationStatus } = json;
      return { status, error: json['error'], isChanged: commit !== undefined, validationStatus };
    };
    expect(await meaning(servers.fake)).toEqual(await meaning(servers.real));
  });
});
