import { z } from 'zod';

/** Of a name in the DNS without a dot at its end, and of one of its parts (RFC 1035, section 2.3.4). */
const MAX_NAME = 253;
const MAX_LABEL = 63;

/**
 * An http or https URL that a worker is to ask for. Which addresses may be reached is known to workers alone, so that is looked at
 * when it is asked for.
 * @param most characters
 */
export function webUrl(most: number, noCredentials = 'credentials in a URL are not allowed') {
  return z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .max(most)
    .check(({ value, issues }) => {
      if (!URL.canParse(value)) return;
      const url = new URL(value);
      const message = hasCredentials(url) ? noCredentials : (controlProblem(value) ?? hostProblem(url));
      if (message !== undefined) issues.push({ code: 'custom', message, input: value });
    });
}

export function hasCredentials({ username, password }: URL): boolean {
  return username !== '' || password !== '';
}

/** The parser of URLs leaves controls at their ends out; other programs may not. */
export function controlProblem(text: string): string | undefined {
  return /\p{Cc}/u.test(text) ? 'expected a URL without control characters' : undefined;
}

/** Why a URL leads nowhere, whatever its host's addresses are; undefined when nothing is wrong. */
export function hostProblem({ hostname, port }: URL): string | undefined {
  if (port === '0') return 'expected a port from 1 to 65535';
  const name = hostname.replace(/\.$/, '');
  const isName = name.length <= MAX_NAME && name.split('.').every((part) => part !== '' && part.length <= MAX_LABEL);
  if (!isName) return `expected a host of at most ${MAX_NAME} characters, each part with 1 to ${MAX_LABEL}`;
  const isSpelled = /^(?:[\w.*-]+|\[[\da-f:.]+\])$/.test(name);
  return isSpelled ? undefined : 'expected a host of letters, digits, hyphens and underscores';
}
