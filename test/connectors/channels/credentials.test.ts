import { z } from 'zod';
import {
  credentialFields,
  distrustTexts,
  fieldsOf,
  parseCredentials,
  parseKept,
  readCredentials,
  secretsIn,
  textOf,
} from '../../../connectors/channels/credentials';
import { webhookCredentials } from '../../../connectors/channels/webhook/webhook-signature';
import { Unavailable, UserError } from '../../../topology/core/errors';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const two = z.strictObject({
  server: z.string().register(credentialFields, { prompt: 'Server', isSecret: false }),
  token: z.string().min(8, 'too short').register(credentialFields, { prompt: 'Token', isSecret: true }),
});

test('where there is one field its text will do, and it is kept as it is', () => {
  expect(parseCredentials('webhook', webhookCredentials, SECRET)).toEqual({ secret: SECRET });
  expect(parseCredentials('webhook', webhookCredentials, JSON.stringify({ secret: SECRET }))).toEqual({
    secret: SECRET,
  });
  expect(textOf(webhookCredentials, { secret: SECRET })).toBe(SECRET);
});

test('a secret that the channel cannot use is refused when it is set, and not shown', () => {
  const message = 'secret: it is not whsec_ and base64. Expected whsec_ and 24 to 64 bytes in base64 for webhook.';
  expect(() => parseCredentials('webhook', webhookCredentials, 'correct horse battery staple')).toThrow(
    new UserError(message),
  );
});

test('several fields are JSON, kept as JSON', () => {
  const given = { server: 'https://a.test', token: 'hush-hush' };
  expect(parseCredentials('two', two, JSON.stringify(given))).toEqual(given);
  expect(readCredentials('two', two, textOf(two, given))).toEqual(given);
  expect(secretsIn(two, given)).toEqual(['hush-hush']);
  expect(fieldsOf(two).map(({ name, isSecret }) => [name, isSecret])).toEqual([
    ['server', false],
    ['token', true],
  ]);
});

test.each([
  ['hush-hush', 'credentials: expected JSON with server, token for two.'],
  ['{"server":"s","token":"hush"}', 'token: too short'],
  ['{"server":"s","token":"hush-hush","hush-key":"hush"}', 'expected no fields but server, token'],
])('what is wrong with %s is said without quoting it', (text, message) => {
  expect(() => parseCredentials('two', two, text)).toThrow(new UserError(message));
});

test('a schema of a package that throws, or quotes what it was given, is an error of that account alone', () => {
  const given = JSON.stringify({ server: 'https://a.test', token: 'hush-hush' });
  const quoting = two.refine(() => false, { error: ({ input }) => `bad: ${JSON.stringify(input)}` });
  expect(() => parseCredentials('two', quoting, given)).toThrow(
    new UserError(': bad: {"server":"https://a.test","token":"…"}'),
  );
  const key = JSON.stringify({ server: 'https://a.test', token: '-- KEY --\nsecret\n' });
  expect(() => parseCredentials('two', quoting, key)).toThrow(': bad: {"server":"https://a.test","token":"…"}');
  const throwing = two.refine(({ token }) => {
    throw new TypeError(`what is ${token}`);
  });
  const late = two.refine(async () => true);
  for (const schema of [throwing, late]) {
    expect(() => parseCredentials('two', schema, given)).toThrow(
      new UserError('credentials: the schema of two fails for them: correct them, or install another version.'),
    );
    expect(() => readCredentials('two', schema, given)).toThrow(Unavailable);
  }
});

describe('of kept credentials a schema of a package says which field is wrong, and nothing else', () => {
  const key = '-----BEGIN KEY-----\nMIIEsecretsecret\n-----END KEY-----\n';
  const kept = JSON.stringify({ server: 'https://a.test', token: key });

  test.each<[string, (token: string) => string]>([
    ['as it is', (token) => token],
    ['as JSON of what is left after trimming', (token) => JSON.stringify(token.trim())],
    ['a line of it', (token) => token.split('\n')[1] as string],
    ['as a URL has it', encodeURIComponent],
  ])('it quotes the secret %s', (_, quoted) => {
    const schema = two.extend({ token: two.shape.token.clone() }).superRefine(({ token }, context) => {
      context.addIssue({ code: 'custom', path: ['token'], message: `no key: ${quoted(token)}` });
      context.addIssue({ code: 'custom', path: ['token', quoted(token)], message: 'no' });
      context.addIssue({ code: 'custom', path: [quoted(token)], message: 'no' });
      context.addIssue({ code: 'custom', message: `no key: ${quoted(token)}` });
    });
    distrustTexts(schema);
    const problems = 'token: not what the channel expects\ncredentials: not what the channel expects';
    expect(() => parseKept('two', schema, kept)).toThrow(new UserError(problems));
    expect(() => readCredentials('two', schema, kept)).toThrow(
      new Unavailable(`its credentials cannot be used; set them again (${problems})`),
    );
  });
});

test('what was kept and serves no more is a reason to set it again', () => {
  expect(() => readCredentials('two', two, 'old')).toThrow(Unavailable);
});
