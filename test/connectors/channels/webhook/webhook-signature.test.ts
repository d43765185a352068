import type { KeyObject } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { secretProblem, sign, signingKey } from '../../../../connectors/channels/webhook/webhook-signature';
import { systemClock } from '../../../../topology/core/clock';

const GOOD = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

test('secrets are base64, with or without their prefix', () => {
  expect(signingKey(GOOD)?.export()).toHaveLength(24);
  expect(signingKey('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')).toBeDefined();
  for (const bad of ['', 'whsec_', 'whsec_ä', 'no secret']) expect(signingKey(bad)).toBeUndefined();
});

test.each([
  GOOD,
  'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  `whsec_${Buffer.alloc(25, 1).toString('base64')}`,
  `whsec_${Buffer.alloc(64, 255).toString('base64')}`,
])('%s can be set', (secret) => {
  expect(secretProblem(secret)).toBeUndefined();
  expect(signingKey(secret)).toBeDefined();
});

test.each([
  ['v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', /version of a signature/],
  ['correct horse battery staple', /not whsec_ and base64/],
  ['whsec_MfKQ9r8GKYqrTwjU-D8ILPZI_2LaLaSw', /base64url/],
  ['my-secret_2027', /base64url/],
  ['whsec_YWI=', /holds 2 bytes/],
  ['whsec_', /holds 0 bytes/],
  [`whsec_${Buffer.alloc(65).toString('base64')}`, /holds 65 bytes/],
  [`${GOOD}\n`, /white space/],
  ['whsec_ä', /not whsec_ and base64/],
  ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwx', /not whsec_ and base64/],
  [`${GOOD}===`, /not whsec_ and base64/],
  [`${GOOD}${'='.repeat(40)}`, /not whsec_ and base64/],
])('%j is refused, with what is wrong with it and without itself', (secret, problem) => {
  expect(secretProblem(secret)).toMatch(problem);
  expect(secretProblem(secret)).not.toContain(secret.slice(6, 30) || '-');
});

test('whatever can be set can sign', () => {
  const encoded = [24, 25, 26, 63, 64].map((bytes) => Buffer.alloc(bytes, bytes).toString('base64').replace(/=+$/, ''));
  const ends = ['', '=', '==', '===', '====', '= ', '\n', '\0', '=a'];
  const all = ['whsec_', '', 'whsec_whsec_', 'WHSEC_', ' '].flatMap((prefix) =>
    encoded.flatMap((text) => ends.map((end) => `${prefix}${text}${end}`)),
  );
  const settable = all.filter((secret) => secretProblem(secret) === undefined);
  expect(settable.length).toBeGreaterThan(10);
  expect(settable.filter((secret) => signingKey(secret) === undefined)).toEqual([]);
});

test('while one secret replaces another, receivers with either of them find their signature', () => {
  const older = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const keys = [GOOD, older].map((secret) => signingKey(secret) as KeyObject);
  const timestamp = Math.floor(systemClock.now() / 1_000);
  const headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(timestamp),
    'webhook-signature': sign(keys, 'msg_1', timestamp, Buffer.from('{"n":1}')),
  };
  for (const secret of [GOOD, older]) expect(new Webhook(secret).verify('{"n":1}', headers)).toEqual({ n: 1 });
  const other = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
  expect(() => new Webhook(other).verify('{"n":1}', headers)).toThrow(/signature/);
});
