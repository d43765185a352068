import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writePrivate } from './stack-state';

/** Where the parts are, as this machine sees them and as Connect does. */
export interface StackAddresses {
  /** host:port */
  readonly mysql: string;
  /** host:port, separated by commas. */
  readonly kafka: string;
  readonly connectUrl: string;
  readonly kafkaUiUrl?: string;
  readonly prometheusUrl?: string;
  readonly grafanaUrl?: string;
  /** host:port, when Connect has other names for them. */
  readonly mysqlOfConnect?: string;
  readonly kafkaOfConnect?: string;
}

const DATABASE = 'downspout';
/** Where Connect has Debezium's password, so that the connector's settings, which Connect shows, need not hold it. */
export const CDC_PASSWORD_VARIABLE = 'DOWNSPOUT_CDC_PASSWORD';

/** The settings that Downspout takes from the environment, for a local stack. */
export function stackSettings(
  folder: string,
  addresses: StackAddresses,
  passwords: { readonly admin: string; readonly application: string; readonly worker: string; readonly cdc: string },
): Record<string, string> {
  const database = (user: string, password: string, host = addresses.mysql) => databaseUrl(user, password, host);
  const optional: Readonly<Record<string, string | undefined>> = {
    CONNECT_KAFKA_BROKERS: addresses.kafkaOfConnect,
    KAFKA_UI_URL: addresses.kafkaUiUrl,
    PROMETHEUS_URL: addresses.prometheusUrl,
    GRAFANA_URL: addresses.grafanaUrl,
  };
  return {
    DATABASE_URL: database('downspout', passwords.application),
    WORKER_DATABASE_URL: database('downspout_worker', passwords.worker),
    ADMIN_DATABASE_URL: database('root', passwords.admin),
    CDC_DATABASE_URL: database('downspout_cdc', passwords.cdc, addresses.mysqlOfConnect),
    CDC_PASSWORD_REFERENCE: `\${env:${CDC_PASSWORD_VARIABLE}}`,
    KAFKA_BROKERS: addresses.kafka,
    CONNECT_URL: addresses.connectUrl,
    ...Object.fromEntries(Object.entries(optional).flatMap(([name, value]) => (value ? [[name, value]] : []))),
    DOWNSPOUT_SECRET_KEY_FILE: secretKeyFile(folder),
  };
}

/** The administrator's URL of one server. @param host host:port */
export function administratorUrl(host: string, password: string): string {
  return databaseUrl('root', password, host);
}

function databaseUrl(user: string, password: string, host: string): string {
  return `mysql://${user}:${encodeURIComponent(password)}@${host}/${DATABASE}`;
}

/** Writes the settings where every verb finds them. */
export function writeSettings(folder: string, settings: Readonly<Record<string, string>>): void {
  writePrivate(join(folder, 'env.json'), `${JSON.stringify(settings, null, 2)}\n`);
}

/** The key of the accounts' secrets, made once. */
function secretKeyFile(folder: string): string {
  const path = join(folder, 'secret.key');
  if (!existsSync(path)) writePrivate(path, `${randomBytes(32).toString('base64')}\n`);
  return path;
}
