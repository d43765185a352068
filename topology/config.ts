import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { reasonOf, UserError } from './core/errors';
import { failActions, failPointNames } from './fail-points';

const failPointSchema = z.object({
  name: z.enum(failPointNames),
  action: z.enum(failActions),
  nth: z.coerce.number().int().min(1),
});

/** Connection settings that nothing but the environment gives; `downspout env` prints them for the local stack. */
const environmentSchema = z.object({
  /** The application's user: schedule, edit, cancel. */
  DATABASE_URL: z.url().optional(),
  /** The workers' user. */
  WORKER_DATABASE_URL: z.url().optional(),
  /** May change the schema and create users. */
  ADMIN_DATABASE_URL: z.url().optional(),
  /** Debezium's user, with the host and port as Connect sees them. */
  CDC_DATABASE_URL: z.url().optional(),
  /** host:port, separated by commas. */
  KAFKA_BROKERS: z
    .string()
    .regex(/^[^,\s]+:\d+(,[^,\s]+:\d+)*$/, 'expected host:port[,host:port]')
    .transform((text) => text.split(','))
    .optional(),
  /** Brokers as Connect sees them, when they differ. */
  CONNECT_KAFKA_BROKERS: z.string().optional(),
  CONNECT_URL: z.url().optional(),
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
  /** Where topology.yaml is. */
  DOWNSPOUT_TOPOLOGY: z.string().optional(),
  WEBHOOK_ALLOW_PRIVATE_ADDRESSES: z.stringbool().default(false),
  /** Tests only: where a worker ends, `name:action` or `name:action:nth`, separated by commas; see fail-points.ts. */
  DOWNSPOUT_FAIL_POINTS: z.preprocess(failPointsFrom, z.array(failPointSchema)).optional(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});
export type Environment = Readonly<z.infer<typeof environmentSchema>>;

const count = z.int().min(1);
const milliseconds = z.int().min(0);

const spoutSchema = z.strictObject({
  replicas: count.max(256).default(2),
  partitions: count.max(256).default(8),
  lead: milliseconds.max(60_000).default(2_000),
  reconcileInterval: milliseconds.min(100).default(2_000),
  maxPending: count.default(50_000),
  maxPendingPerAccount: count.default(1_000),
  maxEntries: count.default(200_000),
});

const boltSchema = z.strictObject({
  replicas: count.max(256).default(2),
  partitions: count.max(256).default(8),
  concurrency: count.max(10_000).default(256),
  perAccount: count.default(32),
  perHost: count.default(256),
  claimBatch: count.max(5_000).default(500),
  claimAheadMax: milliseconds.max(5_000).default(2_000),
  maxHeld: count.default(50_000),
  maxHeldBytes: count.default(128 * 1024 * 1024),
  timeout: milliseconds.min(100).default(10_000),
  attempts: count.max(1_000).default(12),
  backOff: milliseconds.default(1_000),
  backOffMax: milliseconds.default(3_600_000),
});
export type BoltSettings = Readonly<z.infer<typeof boltSchema>>;

const topologySchema = z.strictObject({
  components: z.object({ due: spoutSchema.prefault({}) }).catchall(boltSchema),
});
/** topology.yaml, with defaults filled in. A channel that is missing has no sender: its messages wait. */
export type TopologySettings = Readonly<z.infer<typeof topologySchema>>;

function failPointsFrom(text: unknown) {
  return String(text)
    .split(',')
    .map((point) => {
      const [name, action, ...nth] = point.split(':');
      return { name, action, nth: nth.length === 0 ? 1 : nth.join(':') };
    });
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
  const result = environmentSchema.safeParse({ ...fallback, ...set });
  if (result.success) return Object.freeze(result.data);
  throw new UserError(
    result.error.issues
      .map((issue) => {
        const name = String(issue.path[0]);
        const value = /URL|KEY/.test(name) ? '' : ` (it is ${JSON.stringify(set[name] ?? fallback[name])})`;
        return `${name}: ${issue.message}${value}. Change the environment variable ${name}.`;
      })
      .join('\n'),
  );
}

const stackVariables = [
  'XDG_CACHE_HOME',
  'MYSQL_PORT',
  'MYSQL_B_PORT',
  'HAPROXY_PORT',
  'MYSQL_ROOT_PASSWORD',
  'KAFKA_PORT',
  'CONNECT_PORT',
  'KAFKA_UI_PORT',
  'PROMETHEUS_PORT',
  'GRAFANA_PORT',
] as const;

/** What the environment says about the local stack: the variables of docker-compose.yml, and where downloads are kept. */
export function readStackVariables(source: NodeJS.ProcessEnv = process.env): Readonly<Record<string, string>> {
  return Object.fromEntries(stackVariables.flatMap((name) => (source[name] ? [[name, source[name]]] : [])));
}

/** The environment for a process that this one starts: its own, except for what `settings` says. */
export function childEnvironment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...process.env, ...settings };
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

/**
 * Reads topology.yaml from `path`, from the current folder, or the one that comes with the package.
 * @throws UserError naming the file and the field
 */
export function readTopologySettings(path?: string): TopologySettings {
  const candidates =
    path === undefined ? [join(process.cwd(), 'topology.yaml'), join(packageRoot(), 'topology.yaml')] : [path];
  for (const [index, file] of candidates.entries()) {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      if (index < candidates.length - 1) continue;
      throw new UserError(`${file}: ${reasonOf(error)}. Set DOWNSPOUT_TOPOLOGY to the path of a topology.yaml.`);
    }
    return parseTopologySettings(text, file);
  }
  throw new UserError('topology.yaml: not found');
}

export function parseTopologySettings(text: string, file: string): TopologySettings {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new UserError(`${file}: ${reasonOf(error)}`);
  }
  const result = topologySchema.safeParse(value);
  if (result.success) return result.data;
  throw new UserError(
    result.error.issues.map((issue) => `${file}: ${issue.path.join('.') || '(top)'}: ${issue.message}`).join('\n'),
  );
}

/** The folder that holds package.json, from the sources as well as from dist/. */
export function packageRoot(): string {
  const here = join(__dirname, '..');
  return here.endsWith('dist') ? join(here, '..') : here;
}

/** Downspout's version, from package.json. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
}
