import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { credentialFields } from '../credentials';

const PREFIX = 'whsec_';
/** Standard Webhooks, specification 1.0, "Signature scheme": the secret has between 24 and 64 bytes. */
const MIN_KEY_BYTES = 24;
const MAX_KEY_BYTES = 64;

/** The account's secret, which signs its messages. An account without one sends unsigned. */
export const webhookCredentials = z.strictObject({
  secret: z
    .string()
    .check(({ value, issues }) => {
      const problem = secretProblem(value);
      if (problem === undefined) return;
      const message = `${problem}. Expected whsec_ and 24 to 64 bytes in base64 for webhook.`;
      issues.push({ code: 'custom', message, input: value });
    })
    .register(credentialFields, { prompt: 'Secret', isSecret: true }),
});

/**
 * What keeps a text from being a Standard Webhooks secret, for the person who sets it; undefined when nothing does.
 * It says nothing of the text itself.
 */
export function secretProblem(secret: string): string | undefined {
  if (secret !== secret.trim()) return 'there is white space around it';
  if (/^v\d+[a-z]*,/.test(secret)) return 'it begins with the version of a signature; give what follows the comma';
  const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  if (/^[A-Za-z0-9_-]+=*$/.test(encoded) && /[_-]/.test(encoded)) {
    return 'it is base64url (with - or _), and signatures need base64 (with + or /)';
  }
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== encoded.replace(/=+$/, '')) {
    return `it is not ${PREFIX} and base64`;
  }
  if (bytes.length < MIN_KEY_BYTES || bytes.length > MAX_KEY_BYTES) return `it holds ${bytes.length} bytes`;
  // What signs has the last word, because a secret that is set and cannot sign holds up every message of its account.
  return signingKey(secret) === undefined ? `it is not ${PREFIX} and base64` : undefined;
}

/**
 * The key in a Standard Webhooks secret: `whsec_` and base64. Its length is not looked at, because secrets that were set
 * before it was must go on working.
 * @returns undefined when the text is not one
 */
export function signingKey(secret: string): KeyObject | undefined {
  const encoded = /^(?:whsec_)?([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
  if (encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.length === 0 ? undefined : createSecretKey(bytes);
}

/**
 * The `webhook-signature` header: for each key HMAC-SHA256 over `id.timestamp.body`, separated by spaces (standardwebhooks.com,
 * specification 1.0, "Signature scheme"). The scheme's own library does the same in JavaScript and takes five times as long.
 * @param timestamp epoch seconds, as in `webhook-timestamp`
 */
export function sign(keys: readonly KeyObject[], id: string, timestamp: number, body: Buffer): string {
  return keys.map((key) => `v1,${digest(key, id, timestamp, body)}`).join(' ');
}

function digest(key: KeyObject, id: string, timestamp: number, body: Buffer): string {
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
}
