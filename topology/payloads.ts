import { z } from 'zod';

/**
 * What a message of each channel must contain. Checked when a message is scheduled and again when it is sent, because
 * rows may also be written with plain SQL.
 */
export const payloads = {
  webhook: z.strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .max(2048)
      .refine((url) => !hasCredentials(url), 'credentials in a URL are not allowed; use headers'),
    method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE', 'GET']).optional(),
    headers: z
      .record(
        z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'not a header name'),
        z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'not a header value'),
      )
      .optional(),
    /** Sent as it is when it is a string, as JSON otherwise. */
    body: z.unknown(),
  }),
} satisfies Record<string, z.ZodType>;

export type ChannelName = keyof typeof payloads;
export type Payload<C extends ChannelName = ChannelName> = z.infer<(typeof payloads)[C]>;

/** The payload, or one line that names each wrong field. */
export function parsePayload<C extends ChannelName>(
  channel: C,
  value: unknown,
): { readonly ok: true; readonly payload: Payload<C> } | { readonly ok: false; readonly reason: string } {
  const result = payloads[channel].safeParse(value);
  if (result.success) return { ok: true, payload: result.data };
  const issues = result.error.issues.map(
    (issue) => `payload${issue.path.map((part) => `.${String(part)}`).join('')}: ${issue.message}`,
  );
  return { ok: false, reason: issues.join('; ') };
}

function hasCredentials(url: string): boolean {
  try {
    const parsed = new URL(url);
    return parsed.username !== '' || parsed.password !== '';
  } catch {
    return false;
  }
}
