import { originOf, sessionOf } from '../../../../connectors/channels/bluesky/bluesky-session';
import { Redaction } from '../../../../connectors/channels/http/redaction';
import { Reply } from '../../../../connectors/channels/http/reply';
import { ProviderSessions } from '../../../../connectors/channels/provider/provider-sessions';

const credentials = { identifier: 'shop.test', password: 'abcd-efgh-ijkl-mnop' };
const session = { did: 'did:plc:shop', handle: 'shop.test', accessJwt: 'SECRET-ACCESS', refreshJwt: 'SECRET-REFRESH' };
const service = [{ id: '#atproto_pds', serviceEndpoint: 'https://pds.example' }];

function open(status: number, body: string, sessions = new ProviderSessions()) {
  const answered = { kind: 'answered' as const, status, headers: [], body: Buffer.from(body) };
  const ask = async () => new Reply(answered, new Redaction([]));
  return sessionOf(credentials, { sessions, ask, now: () => 0 });
}

test("posts take slots of the account's own server as soon as it is known, and of the login's before", async () => {
  const sessions = new ProviderSessions();
  expect(originOf(credentials, sessions)).toBe('https://bsky.social');
  await open(503, '', sessions);
  expect(originOf(credentials, sessions)).toBe('https://bsky.social');
  await open(200, JSON.stringify({ ...session, didDoc: { service } }), sessions);
  expect(originOf(credentials, sessions)).toBe('https://pds.example');
});

test.each([
  ['without a handle', 200, JSON.stringify({ ...session, handle: undefined })],
  ['with a token that is too long', 200, JSON.stringify({ ...session, accessJwt: `SECRET${'x'.repeat(9_000)}` })],
  ['that was cut', 200, JSON.stringify(session).slice(0, -1)],
  ['with words in it', 200, JSON.stringify({ error: 'SECRET', message: 'SECRET' })],
  ['with an error', 500, JSON.stringify(session)],
  ['with a refusal', 403, JSON.stringify(session)],
])('nothing is quoted of an answer %s that may be a session', async (_, status, body) => {
  const outcome = await open(status, body);
  expect(outcome).toMatchObject({ kind: status === 403 ? 'unusable' : 'retry', status });
  expect(JSON.stringify(outcome)).not.toContain('SECRET');
});

test('a 400 of a gateway says nothing of the login', async () => {
  expect(await open(400, '<html>Bad Request</html>')).toMatchObject({ kind: 'retry', status: 400 });
  expect(await open(400, '{"error":"InvalidRequest"}')).toMatchObject({ kind: 'unusable', status: 400 });
});
