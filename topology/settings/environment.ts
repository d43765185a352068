import { z } from 'zod';
import { UserError } from '../core/errors';
import { IN_CREDENTIALS } from './url-parts';

const BROKER = /^(?:[a-z0-9][\w.-]*|\[[\da-f:.]+\]):(\d{1,5})$/i;
const BROKERS_EXPECTED =
  'expected host:port[,host:port] and nothing else: TLS is KAFKA_SSL=true, a user is KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD';

/** A list of brokers; what a URL says besides would be dropped in silence, and the connection made in the clear. */
function areBrokers(text: string): boolean {
  return brokersOf(text).every((broker) => {
    const port = Number(BROKER.exec(broker)?.[1] ?? 0);
    return port > 0 && port < 65_536;
  });
}

/** As Java's clients read them: blanks do not count. */
function brokersOf(text: string): string[] {
  return text.split(',').map((broker) => broker.trim());
}

/** Nothing that Connect knows could stand there, and our paths are put behind it. An @ in the path ends a password that holds a slash. */
function isBaseUrl(text: string): boolean {
  return !/[?#]|\/\/[^/]*\/.*@/.test(text);
}

const words = z.string().transform((text) => text.split(',').map((word) => word.trim()));

/** Connection settings that nothing but the environment gives; `downspout env` prints them for the local stack. */
const environmentSchema = z.object({
  /** The application's user: schedule, edit, cancel. */
  DATABASE_URL: z.url().optional(),
  /** The workers' user. */
  WORKER_DATABASE_URL: z.url().optional(),
  /** Of people and supervisors, who deploy and decide; the workers' user when it is not set. */
  OPERATOR_DATABASE_URL: z.url().optional(),
  /** May change the schema and create users. */
  ADMIN_DATABASE_URL: z.url().optional(),
  /** Debezium's user, with the host and port as Connect sees them. */
  CDC_DATABASE_URL: z.url().optional(),
  /** host:port, separated by commas. */
  KAFKA_BROKERS: z.string().refine(areBrokers, BROKERS_EXPECTED).transform(brokersOf).optional(),
  /** TLS to Kafka, with files in PEM: who signed the brokers' certificates when it is nobody known, and our own certificate. */
  KAFKA_SSL: z.stringbool().default(false),
  KAFKA_SSL_CA_FILE: z.string().optional(),
  KAFKA_SSL_CERT_FILE: z.string().optional(),
  KAFKA_SSL_KEY_FILE: z.string().optional(),
  KAFKA_SASL_MECHANISM: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional(),
  KAFKA_SASL_USERNAME: z.string().optional(),
  KAFKA_SASL_PASSWORD: z.string().optional(),
  KAFKA_SASL_PASSWORD_FILE: z.string().optional(),
  /** Brokers as Connect sees them, when they differ. */
  CONNECT_KAFKA_BROKERS: z
    .string()
    .refine(areBrokers, BROKERS_EXPECTED)
    .transform((text) => brokersOf(text).join(','))
    .optional(),
  /** Debezium's own user in Kafka, when it is not that of KAFKA_SASL_USERNAME. */
  CONNECT_KAFKA_USERNAME: z.string().optional(),
  CONNECT_KAFKA_PASSWORD: z.string().optional(),
  CONNECT_KAFKA_PASSWORD_FILE: z.string().optional(),
  /** May hold user and password; CONNECT_USERNAME and CONNECT_PASSWORD count before them. */
  CONNECT_URL: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .refine(
      isBaseUrl,
      `expected a URL without ? and #, and without @ in its path: TLS is https:// and CONNECT_CA_FILE, a user is CONNECT_USERNAME and CONNECT_PASSWORD; ${IN_CREDENTIALS}`,
    )
    .optional(),
  CONNECT_USERNAME: z.string().optional(),
  CONNECT_PASSWORD: z.string().optional(),
  CONNECT_PASSWORD_FILE: z.string().optional(),
  CONNECT_CA_FILE: z.string().optional(),
  /** Java's key stores for Debezium's connection to MySQL: files as Connect sees them. */
  CDC_SSL_TRUSTSTORE: z.string().optional(),
  CDC_SSL_TRUSTSTORE_PASSWORD: z.string().optional(),
  CDC_SSL_KEYSTORE: z.string().optional(),
  CDC_SSL_KEYSTORE_PASSWORD: z.string().optional(),
  /**
   * What Connect is given instead of the password of CDC_DATABASE_URL, or Kafka's password or key, because it shows and stores its
   * connectors' settings: a reference that its config provider resolves, such as `${env:CDC_PASSWORD}`.
   */
  CDC_PASSWORD_REFERENCE: z.string().optional(),
  CONNECT_KAFKA_PASSWORD_REFERENCE: z.string().optional(),
  CONNECT_KAFKA_KEY_REFERENCE: z.string().optional(),
  KAFKA_UI_URL: z.url().optional(),
  PROMETHEUS_URL: z.url().optional(),
  GRAFANA_URL: z.url().optional(),
  /** Put before topics, groups and the connector's name, so that several deployments can share one Kafka. */
  DOWNSPOUT_NAMESPACE: z
    .string()
    .regex(/^[a-z0-9-]{0,40}$/, 'expected at most 40 of a-z 0-9 -')
    .default(''),
  /** 32 bytes in base64: the key of the accounts' secrets. */
  DOWNSPOUT_SECRET_KEY: z.string().optional(),
  DOWNSPOUT_SECRET_KEY_FILE: z.string().optional(),
  /** The key before it, for as long as something is sealed with it. */
  DOWNSPOUT_SECRET_KEY_PREVIOUS: z.string().optional(),
  DOWNSPOUT_SECRET_KEY_PREVIOUS_FILE: z.string().optional(),
  /** In whose name the command line changes something; the operating system's user unless given. */
  DOWNSPOUT_WHO: z.string().max(255).optional(),
  /** Where topology.yaml is. */
  DOWNSPOUT_TOPOLOGY: z.string().optional(),
  /** `production` merges topology.production.yaml, which lies beside topology.yaml, into it. */
  DOWNSPOUT_ENVIRONMENT: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/, 'expected at most 40 of a-z 0-9 -')
    .optional(),
  /** Lets webhooks reach loopback, private and link-local addresses. */
  WEBHOOK_ALLOW_PRIVATE_ADDRESSES: z.stringbool().default(false),
  /** Lets mails travel without encryption to servers that are not on this machine. */
  EMAIL_ALLOW_PLAIN: z.stringbool().default(false),
  /** Networks that webhooks may reach although they are private, and networks that they may not reach; by commas. */
  WEBHOOK_ALLOW_NETWORKS: words.optional(),
  WEBHOOK_DENY_NETWORKS: words.optional(),
  /** A folder of the senders' machines, below which messages may name files as their media. No files unless given. */
  MEDIA_FOLDER: z.string().startsWith('/', 'expected the whole path of a folder').optional(),
  /** Proxies of the senders, as other programs take them; the names in small letters count too. */
  HTTPS_PROXY: z.string().optional(),
  HTTP_PROXY: z.string().optional(),
  NO_PROXY: z.string().optional(),
  /** The resolver of the senders; those of the machine unless given. */
  DOWNSPOUT_RESOLVER: z
    .string()
    .regex(/^(\d+(\.\d+){3}|\[[0-9a-fA-F:.]+\])(:\d+)?$/, 'expected an address, or address:port such as 127.0.0.1:53')
    .optional(),
  /** Tests only: where a worker ends; deploy/worker/fail-points.ts parses it. */
  DOWNSPOUT_FAIL_POINTS: z.string().optional(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});
export type Environment = Readonly<z.infer<typeof environmentSchema>>;

/** @internal for tests */
export function environmentNames(): string[] {
  return Object.keys(environmentSchema.shape);
}

/**
 * Reads the environment. The only reader of process.env.
 * @param fallback settings of the local stack, for names that the environment does not set
 * @throws UserError naming the variable, its value (unless it may hold a secret) and what to do
 */
export function readEnvironment(
  fallback: Readonly<Record<string, string>> = {},
  source: NodeJS.ProcessEnv = process.env,
): Environment {
  const set = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== ''));
  for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY']) set[name] = set[name.toLowerCase()] ?? set[name];
  const result = environmentSchema.safeParse({ ...fallback, ...set });
  if (result.success) return Object.freeze(result.data);
  throw new UserError(
    result.error.issues
      .map((issue) => {
        const name = String(issue.path[0]);
        const given = set[name] ?? fallback[name] ?? '';
        // Whoever writes a URL where none is expected may have written a password in it.
        const isSecret = /URL|KEY|PROXY|PASSWORD/.test(name) || /:\/\/|@|password/i.test(given);
        const value = isSecret ? '' : ` (it is ${JSON.stringify(given)})`;
        return `${name}: ${issue.message}${value}. Change the environment variable ${name}.`;
      })
      .join('\n'),
  );
}

/** The names of the settings that the environment gives. */
export function givenSettings(source: NodeJS.ProcessEnv = process.env): ReadonlySet<string> {
  const names = Object.keys(source).filter((name) => source[name] !== '');
  return new Set(names.map((name) => (/^https?_proxy$|^no_proxy$/.test(name) ? name.toUpperCase() : name)));
}

const stackVariables = [
  'XDG_CACHE_HOME',
  'COMPOSE_PROJECT_NAME',
  'MYSQL_PORT',
  'MYSQL_B_PORT',
  'MYSQL_C_PORT',
  'KAFKA_B_PORT',
  'KAFKA_C_PORT',
  'CONNECT_B_PORT',
  'HAPROXY_PORT',
  'HAPROXY_CONNECT_PORT',
  'MYSQL_ROOT_PASSWORD',
  'KAFKA_PORT',
  'CONNECT_PORT',
  'KAFKA_UI_PORT',
  'PROMETHEUS_PORT',
  'GRAFANA_PORT',
] as const;

/** What the environment says about the local stack: the variables of docker-compose.yml, its project, and where downloads are kept. */
export function readStackVariables(source: NodeJS.ProcessEnv = process.env): Readonly<Record<string, string>> {
  return Object.fromEntries(stackVariables.flatMap((name) => (source[name] ? [[name, source[name]]] : [])));
}

/** The environment for a process that this one starts: its own, except for what `settings` says. */
export function childEnvironment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...process.env, ...settings };
}

/** The same for a process that outlives this one: it is not to end with the npm that started this one. */
export function detachedEnvironment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { npm_command: _, ...environment } = childEnvironment(settings);
  return environment;
}

/** Whether npm started this process, or one that it descends from: `npx`, `npm exec`, `npm start`, `npm run`. */
export function isStartedByNpm(source: NodeJS.ProcessEnv = process.env): boolean {
  return source['npm_command'] !== undefined;
}

/**
 * A setting that a verb cannot do without.
 * @throws UserError saying how to get it
 */
export function required<K extends keyof Environment>(environment: Environment, name: K): NonNullable<Environment[K]> {
  const value = environment[name];
  if (value === undefined || value === null) {
    throw new UserError(
      `${name} is not set. Run \`downspout up\` to start the local stack, or set ${name} in the environment.`,
    );
  }
  return value;
}
