import { meaningOf as ofBluesky } from '../../../../connectors/channels/bluesky/bluesky-answers';
import { meaningOf as ofDiscord } from '../../../../connectors/channels/discord/discord-answers';
import { meaningOf as ofFacebook } from '../../../../connectors/channels/facebook/facebook-answers';
import { Redaction } from '../../../../connectors/channels/http/redaction';
import { Reply } from '../../../../connectors/channels/http/reply';
import { meaningOf as ofLinkedin } from '../../../../connectors/channels/linkedin/linkedin-answers';
import { meaningOf as ofMastodon } from '../../../../connectors/channels/mastodon/mastodon-answers';
import { holdIn } from '../../../../connectors/channels/provider/allowance';
import { meaningOf as ofSlack } from '../../../../connectors/channels/slack/slack-answers';
import { meaningOf as ofTelegram } from '../../../../connectors/channels/telegram/telegram-answers';
import { meaningOf as ofX } from '../../../../connectors/channels/x/x-answers';

const now = 1_795_000_000_000;
const soon = String(now / 1_000 + 60);
const HOUR_MS = 3_600_000;

function reply(status: number, headers: Readonly<Record<string, string>>, json: unknown = {}): Reply {
  const raw = Object.entries(headers)
    .flat()
    .map((text) => Buffer.from(text));
  const answered = { kind: 'answered', status, headers: raw, body: Buffer.from(JSON.stringify(json)) };
  return new Reply(answered as never, new Redaction([], []));
}

const post = { data: { id: '17' } };
const [of, app] = ['account', 'app'] as const;

test.each([
  ['mastodon', ofMastodon(reply(429, { 'x-ratelimit-reset': new Date(now + 60_000).toISOString() }), now), of, 60_000],
  ['bluesky', ofBluesky(reply(429, { 'ratelimit-reset': soon }), now), of, 60_000],
  ['telegram', ofTelegram(reply(429, {}, { ok: false, parameters: { retry_after: 7 } }), now), of, 7_000],
  ['slack', ofSlack(reply(200, { 'retry-after': '30' }, { ok: false, error: 'ratelimited' }), now), of, 30_000],
  ['linkedin', ofLinkedin(reply(429, { 'retry-after': '90' }), { now, id: 1 }), of, 90_000],
  [
    'x, of the account',
    ofX(reply(429, { 'x-rate-limit-remaining': '0', 'x-rate-limit-reset': soon }), now),
    of,
    60_000,
  ],
  [
    'x, of the app',
    ofX(reply(429, { 'x-app-limit-24hour-remaining': '0', 'x-app-limit-24hour-reset': soon }), now),
    app,
    60_000,
  ],
  ['x, of a cap', ofX(reply(429, {}, { type: 'https://api.x.com/2/problems/usage-capped' }), now), app, HOUR_MS],
  [
    'discord, of the bot',
    ofDiscord(reply(429, { 'x-ratelimit-global': 'true', 'retry-after': '2' }), { inDoubt: false, now }),
    of,
    2_000,
  ],
  [
    'discord, of a channel, of which each message in it would be told',
    ofDiscord(reply(429, { 'x-ratelimit-scope': 'user' }, { retry_after: 1.5 }), { inDoubt: false, now }),
    of,
    1_500,
  ],
  [
    'discord, of the bot, in the body alone',
    ofDiscord(reply(429, {}, { retry_after: 2, global: true }), { inDoubt: false, now }),
    of,
    2_000,
  ],
  [
    'discord, of all bots behind the address, by what stands before it',
    ofDiscord(reply(429, { 'retry-after': '900' }, 'error code: 1015'), { inDoubt: false, now }),
    app,
    900_000,
  ],
  [
    'discord, of all bots behind the address, without a time',
    ofDiscord(reply(429, {}, 'error code: 1015'), { inDoubt: false, now }),
    app,
    600_000,
  ],
  [
    'discord, of all bots behind an address that is kept out',
    ofDiscord(reply(403, { 'retry-after': '0' }, 'error code: 1015'), { inDoubt: false, now }),
    app,
    600_000,
  ],
  ['facebook, of the page', ofFacebook(reply(400, {}, { error: { code: 32 } }), { inDoubt: false, now }), of, HOUR_MS],
  ['facebook, of the app', ofFacebook(reply(400, {}, { error: { code: 4 } }), { inDoubt: false, now }), app, 600_000],
])('what is refused because there was too much holds %s', (_, outcome, whose, ms) => {
  expect(outcome).toMatchObject({ kind: 'retry', afterMs: ms, hold: { of: whose, ms } });
});

test('a limit of one channel on Discord holds nobody else', () => {
  const outcome = ofDiscord(reply(429, { 'x-ratelimit-scope': 'shared', 'retry-after': '2' }), { inDoubt: false, now });
  expect(outcome).toMatchObject({ kind: 'retry', afterMs: 2_000 });
  expect(outcome).not.toHaveProperty('hold');
});

test('an answer to a post that was taken says that it was the last', () => {
  const last = { 'x-rate-limit-remaining': '0', 'x-rate-limit-reset': soon };
  expect(ofX(reply(201, last, post), now)).toEqual({
    kind: 'delivered',
    status: 201,
    receipt: '17',
    hold: { of, ms: 60_000 },
  });
  expect(ofX(reply(201, { ...last, 'x-rate-limit-remaining': '1' }, post), now)).not.toHaveProperty('hold');
  const ofServer = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': new Date(now + 5_000).toISOString() };
  expect(ofMastodon(reply(200, ofServer, { url: 'https://a/1' }), now)).toMatchObject({ hold: { of, ms: 5_000 } });
});

test.each([
  [{ left: '1', until: soon }, { hold: { of, ms: 60_000 } }],
  [{ left: '2', until: soon }, {}],
  [{ left: '0' }, {}],
  [{ left: 'none', until: soon }, {}],
  [{ left: '-1', until: soon }, {}],
  [{ until: soon }, {}],
  [{ left: '0', until: '0' }, {}],
])('the headers %j are read where a request costs two', (headers, expected) => {
  const given = { remaining: 'left', reset: 'until', now, cost: 2 };
  expect(holdIn(reply(200, headers as Readonly<Record<string, string>>), given)).toEqual(expected);
});
