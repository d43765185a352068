import { signingKey } from '../../../../connectors/channels/webhook/webhook-signature';

test('secrets are base64, with or without their prefix', () => {
  expect(signingKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')?.export()).toHaveLength(24);
  expect(signingKey('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')).toBeDefined();
  for (const bad of ['', 'whsec_', 'whsec_ä', 'no secret']) expect(signingKey(bad)).toBeUndefined();
});
