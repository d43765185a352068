import { Redaction } from '../../../../connectors/channels/http/redaction';
import { Reply } from '../../../../connectors/channels/http/reply';
import { graphErrorIn } from '../../../../connectors/channels/meta/graph-error';
import { regainMs } from '../../../../connectors/channels/meta/graph-usage';

const TOKEN = 'EAAB-token-of-the-page';
const MINUTE_MS = 60_000;

function reply(body: string, headers: Readonly<Record<string, string>> = {}, status = 400): Reply {
  const given = Object.entries(headers).flatMap((pair) => pair.map((text) => Buffer.from(text)));
  const answered = { kind: 'answered', status, headers: given, body: Buffer.from(body) } as const;
  return new Reply(answered, new Redaction(['authorization', `Bearer ${TOKEN}`]));
}

describe('an error of the Graph API', () => {
  test('is read with its codes and both of its sentences, at any status, and quotes no token', () => {
    const error = {
      message: `Error validating ${TOKEN}`,
      type: 'OAuthException',
      code: 190,
      error_subcode: 463,
      is_transient: true,
      error_user_msg: 'The session\nhas expired',
    };
    expect(graphErrorIn(reply(JSON.stringify({ error }), {}, 200))).toEqual({
      code: 190,
      subcode: 463,
      type: 'OAuthException',
      isTransient: true,
      said: 'HTTP 200, code 190/463: Error validating … The session has expired',
    });
  });

  test('has no codes where Meta gives none, or something else', () => {
    const said = { type: '', isTransient: false, said: 'HTTP 400: no reason given' };
    for (const error of [{}, { code: 'x', error_subcode: null, message: 7, type: 8, is_transient: 'yes' }]) {
      expect(graphErrorIn(reply(JSON.stringify({ error })))).toEqual({ code: undefined, subcode: undefined, ...said });
    }
  });

  test.each(['', 'not JSON', '[]', '{"id":"1"}', '{"error":"words"}', '{"error":null}'])('is not %p', (body) => {
    expect(graphErrorIn(reply(body))).toBeUndefined();
  });
});

function business(...minutes: readonly unknown[]) {
  const usage = minutes.map((estimated_time_to_regain_access) => ({ type: 'pages', estimated_time_to_regain_access }));
  return { 'X-Business-Use-Case-Usage': JSON.stringify({ '1': usage }) };
}

describe('when calls may go on', () => {
  test.each([
    ['the longest time of a business use case', business(0, 19, 5), 19 * MINUTE_MS],
    ['nothing when it says no time', business(0), undefined],
    ['nothing when it says what is no time', business('soon', -1), undefined],
    [
      'an hour when an app has used all',
      { 'x-app-usage': '{"call_count":28,"total_time":100,"total_cputime":1}' },
      60 * MINUTE_MS,
    ],
    ['an hour when a page has used all', { 'x-page-usage': '{"call_count":101}' }, 60 * MINUTE_MS],
    ['nothing while there is some left', { 'x-app-usage': '{"call_count":99}' }, undefined],
    ['the business use case before the app', { ...business(3), 'x-app-usage': '{"call_count":100}' }, 3 * MINUTE_MS],
    ['nothing of what is no JSON', { 'x-business-use-case-usage': '{', 'x-app-usage': '[]' }, undefined],
    ['nothing without headers', {}, undefined],
  ])('is %s', (_, headers, expected) => {
    expect(regainMs(reply('', headers))).toBe(expected);
  });
});
