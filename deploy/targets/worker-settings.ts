import { isAbsolute, resolve } from 'node:path';
import { UserError } from '../../topology/core/errors';
import { parseDatabaseUrl } from '../../topology/settings/database-url';
import type { Environment } from '../../topology/settings/environment';

type Name = keyof Environment;

/** Settings of a worker that may be read by anybody who may read its manifests. */
const openSettings = [
  'KAFKA_BROKERS',
  'KAFKA_SSL',
  'KAFKA_SASL_MECHANISM',
  'KAFKA_SASL_USERNAME',
  'CONNECT_URL',
  'CONNECT_USERNAME',
  'DOWNSPOUT_NAMESPACE',
  'WEBHOOK_ALLOW_PRIVATE_ADDRESSES',
  'WEBHOOK_ALLOW_NETWORKS',
  'WEBHOOK_DENY_NETWORKS',
  'MEDIA_FOLDER',
  'EMAIL_ALLOW_PLAIN',
  'NO_PROXY',
  'DOWNSPOUT_RESOLVER',
  'LOG_LEVEL',
] as const satisfies readonly Name[];

/** Settings that name a file: a certificate or a key in PEM. */
const fileSettings = [
  'KAFKA_SSL_CA_FILE',
  'KAFKA_SSL_CERT_FILE',
  'KAFKA_SSL_KEY_FILE',
  'CONNECT_CA_FILE',
] as const satisfies readonly Name[];

/** Settings that name a file with a secret, where none is to stand in the environment. */
const secretFileSettings = [
  'KAFKA_SASL_PASSWORD_FILE',
  'CONNECT_PASSWORD_FILE',
  'DOWNSPOUT_SECRET_KEY_FILE',
  'DOWNSPOUT_SECRET_KEY_PREVIOUS_FILE',
] as const satisfies readonly Name[];

/** Settings that are secret, or may hold one. A worker cannot do without the first. */
export const secretSettings = [
  'WORKER_DATABASE_URL',
  'DOWNSPOUT_SECRET_KEY',
  'DOWNSPOUT_SECRET_KEY_PREVIOUS',
  'KAFKA_SASL_PASSWORD',
  'CONNECT_PASSWORD',
  'HTTPS_PROXY',
  'HTTP_PROXY',
] as const satisfies readonly Name[];

/** What no worker can do without. */
export const neededSettings = ['WORKER_DATABASE_URL', 'KAFKA_BROKERS'] as const satisfies readonly Name[];

/**
 * The open settings of the environment, as a worker elsewhere is to be given them: only what differs from the default, and
 * never a secret, also not one that stands in an address.
 * @param filesFolder where the worker finds files, each under the name of its setting
 * @throws UserError for a value that has a line end
 */
export function openSettingsOf(environment: Environment, filesFolder: string): Record<string, string> {
  const defaults: Partial<Record<Name, unknown>> = {
    KAFKA_SSL: false,
    WEBHOOK_ALLOW_PRIVATE_ADDRESSES: false,
    EMAIL_ALLOW_PLAIN: false,
    DOWNSPOUT_NAMESPACE: '',
    LOG_LEVEL: 'info',
  };
  const open = openSettings.flatMap((name) => {
    const value = environment[name];
    if (value === undefined || value === defaults[name]) return [];
    const text = String(value);
    if (/[\r\n]/.test(text))
      throw new UserError(`${name} has a line end, which no file of settings can hold. Change it.`);
    return [[name, name === 'CONNECT_URL' ? withoutCredentials(text) : text]];
  });
  const files = fileSettings.flatMap((name) =>
    environment[name] === undefined ? [] : [[name, `${filesFolder}/${name}`]],
  );
  return Object.fromEntries([...open, ...files]);
}

/** A file of this machine, and where a worker elsewhere finds it. */
export interface FileMount {
  readonly source: string;
  readonly target: string;
}

/**
 * The files that the settings of a worker name: certificates, keys, and secrets that do not stand in the environment. Those that the
 * address of the database names are found elsewhere under the path that it says.
 * @param filesFolder as of openSettingsOf
 * @throws UserError for an address that cannot be read
 */
export function fileMountsOf(environment: Environment, filesFolder: string): FileMount[] {
  const ofSettings = [...fileSettings, ...secretFileSettings].flatMap((name) => {
    const path = environment[name];
    return path === undefined ? [] : [{ source: resolve(path), target: `${filesFolder}/${name}` }];
  });
  const { WORKER_DATABASE_URL: url } = environment;
  const { parameters } = url === undefined ? { parameters: new URLSearchParams() } : parseDatabaseUrl(url);
  const paths = new Set(['ssl-ca', 'ssl-cert', 'ssl-key'].flatMap((name) => parameters.getAll(name)));
  const ofDatabase = [...paths].filter((path) => isAbsolute(path)).map((path) => ({ source: path, target: path }));
  return [...ofSettings, ...ofDatabase];
}

/** Settings of a worker that name a file with a secret, as a worker elsewhere is to be given them. */
export function secretFilesOf(environment: Environment, filesFolder: string): Record<string, string> {
  const given = secretFileSettings.filter((name) => environment[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, `${filesFolder}/${name}`]));
}

/** The names of all open settings, for a file that people complete. */
export function openSettingNames(): readonly string[] {
  return [...openSettings, ...fileSettings];
}

function withoutCredentials(address: string): string {
  const url = new URL(address);
  url.username = url.password = '';
  return url.href;
}
