import type { Received } from '../../support/channels/receiver';
import type { ReceivedRequest } from './history';

/** What is to be sent, in a form that neither MySQL's order of keys nor the way through HTTP changes. */
export function webhookContent(payload: unknown): string {
  const { url, method = 'POST', body } = payload as { url: string; method?: string; body: unknown };
  const { pathname, search } = new URL(url);
  return `${method} ${pathname}${search} ${plain(typeof body === 'string' ? body : JSON.stringify(body))}`;
}

/** The receiver's journal as a history. */
export function requestsOf(
  journal: readonly Pick<Received, 'key' | 'at' | 'method' | 'path' | 'body' | 'accepted'>[],
): ReceivedRequest[] {
  return journal.map(({ key, at, method, path, body, accepted }) => ({
    key,
    at,
    accepted,
    content: `${method} ${path} ${plain(body)}`,
  }));
}

function plain(text: string): string {
  try {
    return JSON.stringify(sorted(JSON.parse(text)));
  } catch {
    return text;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
