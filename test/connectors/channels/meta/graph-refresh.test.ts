import { Redaction } from '../../../../connectors/channels/http/redaction';
import { Reply } from '../../../../connectors/channels/http/reply';
import { graphRefresh } from '../../../../connectors/channels/meta/graph-refresh';

const how = graphRefresh({ provider: 'Instagram', api: 'https://graph.instagram.com', grant: 'ig_refresh_token' });

function answerTo(status: number, body: string) {
  const reply = new Reply({ kind: 'answered', status, headers: [], body: Buffer.from(body) }, new Redaction([]));
  return how.ask({
    account: 'shop',
    credentials: { user: '1', token: 'token-of-the-shop', expiresAt: '2030-01-31T00:00:00Z' },
    ask: async () => reply,
    now: () => 0,
  });
}

test('a 401 without a word of Meta, as of a gateway before it, refuses nothing', async () => {
  expect(await answerTo(401, '<html>gateway: authentication required</html>')).toMatchObject({ kind: 'later' });
});

test.each([
  ['by its status', { message: 'who are you', type: 'OAuthException', code: 1 }],
  ['by its code', { message: 'Session has expired', type: 'OAuthException', code: 190 }],
])('a 401 of Meta says that it does not take the token, %s', async (_, error) => {
  expect(await answerTo(401, JSON.stringify({ error }))).toMatchObject({ kind: 'refused' });
});
