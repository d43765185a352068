import { z } from 'zod';
import { controlProblem, hasCredentials, hostProblem } from '../../../topology/payloads/web-url';
import { credentialFields } from '../credentials';

/**
 * Where a provider's API is, as a field of credentials that is seldom given: a server of the account's own, or a stand-in.
 * @param usual the provider's own
 */
export function apiServer(usual: string) {
  return z
    .url({ protocol: /^https?$/, error: 'expected the https URL of a server' })
    .max(255)
    .refine(isServer, `expected the https URL of a server, such as ${usual}, and nothing behind it`)
    .optional()
    .register(credentialFields, { prompt: `Server, or nothing for ${usual}`, isSecret: false });
}

/** The address of a server alone. A token must not travel in clear; on this machine it may. */
export function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const isBare = url.pathname === '/' && url.search === '' && url.hash === '' && !hasCredentials(url);
  const isSound = controlProblem(text) === undefined && hostProblem(url) === undefined;
  return (
    isBare && isSound && (url.protocol === 'https:' || url.hostname === 'localhost' || url.hostname === '127.0.0.1')
  );
}
