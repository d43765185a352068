import { UserError } from '../core/errors';
import { IN_CREDENTIALS, percentDecoded } from './url-parts';

/** What the URL of a database says, decoded. */
export interface DatabaseUrl {
  /** An IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Any name: whoever writes it into SQL looks what it is made of. */
  readonly database: string;
  readonly parameters: URLSearchParams;
}

export const DATABASE_URL_EXPECTED = 'mysql://user:password@host:port/database';
/** A name, an IPv4 address, or an IPv6 address in brackets. */
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])$/i;

/**
 * @param what the URL is called in errors
 * @throws UserError, without the URL: it holds a password
 */
export function parseDatabaseUrl(url: string, what = 'The database URL'): DatabaseUrl {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new UserError(`${what} is not a URL. Expected ${DATABASE_URL_EXPECTED}; ${IN_CREDENTIALS}.`);
  }
  const database = percentDecoded(parsed.pathname.slice(1));
  if (parsed.hash !== '') {
    throw new UserError(`${what} has a #, and nothing is known that could stand behind it: ${IN_CREDENTIALS}.`);
  }
  if (parsed.protocol !== 'mysql:' || parsed.hostname === '' || database === '') {
    throw new UserError(`${what} must look like ${DATABASE_URL_EXPECTED}.`);
  }
  if (!HOST.test(parsed.hostname)) {
    throw new UserError(
      `${what} must name one host: a name or an address, an IPv6 address in brackets. Of several servers, name what leads to the primary.`,
    );
  }
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? 3306 : Number(parsed.port),
    user: percentDecoded(parsed.username),
    password: percentDecoded(parsed.password),
    database,
    parameters: parsed.searchParams,
  };
}
