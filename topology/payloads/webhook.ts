import { z } from 'zod';
import { boundedTexts } from './bounded';
import { fields } from './payload-field';
import { webUrl } from './web-url';

/** Names and values together: no usual server takes more. */
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADERS = 64;

/** Headers that say who sends what, or how a connection is used: they are ours, as are those that begin with `webhook-`. */
const RESERVED_HEADERS = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'proxy-authorization',
  'proxy-connection',
  'idempotency-key',
]);

/** A request to the address that the message names. */
export const webhook = z.strictObject({
  url: webUrl(2048, 'credentials in a URL are not allowed; use headers').register(fields, {
    option: 'url',
    placeholder: 'url',
    takes: 'text',
    description: 'where to',
  }),
  method: z
    .enum(['POST', 'PUT', 'PATCH', 'DELETE', 'GET'])
    .optional()
    .register(fields, { option: 'method', placeholder: 'method', takes: 'text', description: 'POST unless given' }),
  headers: boundedTexts(
    z
      .string()
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'not a header name')
      .refine((name) => !isReserved(name), 'this header is set by Downspout and cannot be given'),
    z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'not a header value'),
    { called: 'headers', most: MAX_HEADERS, maxBytes: MAX_HEADER_BYTES },
  )
    .refine((headers) => !hasTwins(Object.keys(headers)), 'a header is given twice, in capital and small letters')
    .optional()
    .register(fields, { option: 'header', placeholder: 'name:value', takes: 'entry', description: 'a header' }),
  /**
   * A string is sent byte for byte, anything else (null too) as JSON with its numbers exactly; empty when it is not
   * given.
   */
  body: z.unknown().optional().register(fields, {
    option: 'body',
    placeholder: 'text',
    takes: 'json',
    description: 'the body; sent as JSON when it is JSON, as text otherwise',
  }),
});

function isReserved(header: string): boolean {
  const lower = header.toLowerCase();
  return RESERVED_HEADERS.has(lower) || lower.startsWith('webhook-');
}

function hasTwins(names: readonly string[]): boolean {
  return new Set(names.map((name) => name.toLowerCase())).size < names.length;
}
