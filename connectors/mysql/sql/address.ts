import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { SslOptions } from 'mysql2';
import { reasonOf, UserError } from '../../../topology/core/errors';
import { decodePem } from '../../../topology/core/text-encoding';
import { DATABASE_URL_EXPECTED, parseDatabaseUrl } from '../../../topology/settings/database-url';
import { IN_CREDENTIALS, shownParameter } from '../../../topology/settings/url-parts';

/** Where a server is and who connects to it, as mysql2 takes it. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Undefined: without TLS. */
  readonly ssl?: SslOptions;
}

/** As the MySQL client names them. */
const SSL_MODES = ['DISABLED', 'REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY'] as const;
const FILES = ['ssl-ca', 'ssl-cert', 'ssl-key'] as const;
const PARAMETERS: readonly string[] = ['ssl-mode', ...FILES];

/**
 * @param url `mysql://user:password@host:port/database`, with `ssl-mode`, `ssl-ca`, `ssl-cert` and `ssl-key` (paths) as parameters
 * @throws UserError, without the URL: it holds a password
 */
export function addressOf(url: string): Address {
  const { parameters, ...address } = parseDatabaseUrl(url);
  if (!/^[\w-]{1,64}$/.test(address.database)) {
    throw new UserError(`The database URL must look like ${DATABASE_URL_EXPECTED}.`);
  }
  const ssl = sslOf(parameters, address.host);
  return { ...address, ...(ssl === undefined ? {} : { ssl }) };
}

/** A parameter that is not understood could be one that somebody relies on for safety, so it is refused. */
function sslOf(parameters: URLSearchParams, host: string): SslOptions | undefined {
  const names = [...parameters.keys()];
  const wrong = names.find((name, index) => !PARAMETERS.includes(name) || names.indexOf(name) !== index);
  if (wrong !== undefined) {
    throw new UserError(
      `The database URL has the parameter${shownParameter(wrong, parameters)}: expected ${PARAMETERS.join(', ')}, each once at most; ${IN_CREDENTIALS}.`,
    );
  }
  const [ca, cert, key] = FILES.map((name) => fileOf(name, parameters.get(name)));
  const mode = parameters.get('ssl-mode') ?? (ca === undefined && cert === undefined ? 'DISABLED' : 'VERIFY_CA');
  if (!SSL_MODES.some((known) => known === mode)) {
    throw new UserError(`ssl-mode: expected ${SSL_MODES.join(', ')}, got ${JSON.stringify(mode)}.`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new UserError('ssl-cert and ssl-key belong together: the database URL names one of them.');
  }
  if (mode === 'DISABLED') {
    if (names.length > 1) throw new UserError('ssl-mode=DISABLED and files for TLS exclude each other.');
    return undefined;
  }
  if (mode === 'VERIFY_IDENTITY' && isIP(host) !== 0) {
    throw new UserError(
      `ssl-mode=VERIFY_IDENTITY compares the certificate with the host's name, and ${host} is an address.`,
    );
  }
  return {
    rejectUnauthorized: mode !== 'REQUIRED',
    verifyIdentity: mode === 'VERIFY_IDENTITY',
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}

function fileOf(name: string, path: string | null): string | undefined {
  if (path === null) return undefined;
  try {
    return decodePem(readFileSync(path));
  } catch (error) {
    throw new UserError(`${name}: ${reasonOf(error)}`);
  }
}
