import { createHmac } from 'node:crypto';
import { isAbsolute, normalize } from 'node:path';
import { stringify } from 'yaml';
import type { Environment } from '../../../topology/settings/environment';
import { replicasOf, type TopologySettings } from '../../../topology/settings/topology-settings';
import { graceSeconds } from '../../worker/drain-limit';
import { demandPackages, type RenderedFile } from '../rendering';
import { workerKey } from '../worker-key';
import { fileMountsOf, openSettingsOf, secretFilesOf, secretSettings } from '../worker-settings';
import { SETTINGS_FILE, settingsLine } from './settings-file';

const STATUS_PORT = 8080;
const FOLDER = '/etc/downspout';
const FILES_FOLDER = `${FOLDER}/files`;
/** The name under which Prometheus finds all of them. */
const ALIAS = 'downspout-workers';

export interface ComposeOptions {
  readonly specification: unknown;
  readonly settings: TopologySettings;
  readonly image: string;
  readonly environment: Environment;
  /** The release that workers read from the database; without it they read topology.yaml. */
  readonly release?: number | undefined;
  /** Where the files are, as Docker Compose is to find them unless DOWNSPOUT_WORKERS says otherwise; `./compose` unless given. */
  readonly folder?: string | undefined;
  /** By component; it counts before `release`. */
  readonly marks?: ReadonlyMap<string, WorkerMark> | undefined;
  /** What an address of this machine is called in the network of the containers; the same unless given. */
  readonly inside?: (addresses: string) => string;
}

/** The label that says which worker a container is. */
export const FINGERPRINT = 'downspout.worker';

/** Which worker the containers of a component are, and the release that they read. */
export interface WorkerMark {
  readonly release: number;
  /** Null for one that is to count as no worker that anybody knows: it has no label. */
  readonly fingerprint: string | null;
}

/** What the names of the workers' services begin with, and no others of docker-compose.yml. */
export const SERVICE_PREFIX = 'worker-';

/** A path as Docker Compose reads it: one that begins with a name is that of a volume to it, and a dollar sign is doubled. */
function composePath(folder: string): string {
  const path =
    isAbsolute(folder) || /^\.\.?(\/|$)/.test(normalize(folder)) ? normalize(folder) : `./${normalize(folder)}`;
  return escaped(path).replace(/(?<=.)\/$/, '');
}

/** A text that Docker Compose puts no variables into. */
function escaped(text: string): string {
  return text.replaceAll('$', '$$$$');
}

/** The service of a component. */
export function serviceName(component: string): string {
  return `${SERVICE_PREFIX}${component.toLowerCase()}`;
}

/**
 * A text that is the same for two releases whose workers of a component are the same: its service and what they read, without
 * their number and without the release's. It goes into a label, which more people and programs read than the secrets that it
 * depends on, so without the key nobody can try which secrets give it.
 * @param beside what they depend on beside that
 */
export function fingerprintOf(
  options: WorkerOptions,
  component: string,
  beside: readonly (string | null)[],
  secretKey: string,
): string {
  const { settings, image, environment } = options;
  const key = workerKey({ settings, image, packageVersion: '' }, component);
  const parts = [serviceOf({ settings, image, environment }, component), key, ...beside];
  return createHmac('sha256', secretKey).update(JSON.stringify(parts)).digest('hex');
}

type WorkerOptions = Pick<ComposeOptions, 'settings' | 'image' | 'environment' | 'release' | 'marks' | 'folder'>;

function serviceOf({ settings, image, environment, release, marks, folder }: WorkerOptions, component: string) {
  const files = `\${DOWNSPOUT_WORKERS:-${composePath(folder ?? 'compose')}}`;
  const mark = marks?.get(component);
  const number = mark?.release ?? release;
  const fingerprint = mark?.fingerprint ?? null;
  return {
    image,
    ...(fingerprint === null ? {} : { labels: { [FINGERPRINT]: fingerprint } }),
    command: [
      'worker',
      `--component=${component}`,
      '--status-host=0.0.0.0',
      `--status-port=${STATUS_PORT}`,
      ...(number === undefined ? [] : [`--release=${number}`]),
    ],
    // Secrets come from a file that only its owner reads, and open settings from it too: an address differs by place.
    env_file: [`${files}/${SETTINGS_FILE}`],
    environment: { DOWNSPOUT_TOPOLOGY: `${FOLDER}/topology.yaml` },
    // The second one holds media while they are sent. Docker would make a folder in place of a file that is not there.
    volumes: [
      `${files}/topology.yaml:${FOLDER}/topology.yaml:ro`,
      '/tmp',
      ...fileMountsOf(environment, FILES_FOLDER).map(({ source, target }) => ({
        type: 'bind',
        source: escaped(source),
        target: escaped(target),
        read_only: true,
        bind: { create_host_path: false },
      })),
    ],
    networks: { default: { aliases: [ALIAS] } },
    healthcheck: {
      test: ['CMD', 'node', '-e', healthScript()],
      interval: '5s',
      timeout: '5s',
      retries: 3,
      start_period: '60s',
      start_interval: '1s',
    },
    stop_grace_period: `${graceSeconds([component], settings)}s`,
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    restart: 'unless-stopped',
  };
}

/**
 * Workers as services beside those of docker-compose.yml: as many of each as topology.yaml says.
 * @throws UserError for a channel that is named by a path. The text of the settings throws one for a setting that Docker Compose cannot
 * read from a file: where people have that file already, nothing of it is asked.
 */
export function renderCompose(options: ComposeOptions): RenderedFile[] {
  const { specification, settings, environment, inside = (addresses) => addresses } = options;
  demandPackages(settings);
  const services = [...replicasOf(settings)].map(([component, replicas]) => [
    serviceName(component),
    { ...serviceOf(options, component), deploy: { replicas } },
  ]);
  return [
    {
      path: 'workers.yml',
      text: `# Written by \`downspout render compose\`: use it together with docker-compose.yml. Change topology.yaml instead.\n${stringify(
        { services: Object.fromEntries(services) },
        { lineWidth: 0 },
      )}`,
    },
    { path: 'topology.yaml', text: stringify(specification, { lineWidth: 0 }) },
    {
      path: SETTINGS_FILE,
      get text() {
        return settingsText(environment, inside);
      },
      isYours: true,
      isSecret: true,
    },
  ];
}

/** @throws UserError for a setting that Docker Compose cannot read from a file */
function settingsText(environment: Environment, inside: (addresses: string) => string): string {
  const values: Record<string, string> = {
    ...openSettingsOf(environment, FILES_FOLDER),
    ...secretFilesOf(environment, FILES_FOLDER),
  };
  for (const name of secretSettings) if (environment[name] !== undefined) values[name] = environment[name];
  return [
    '# What the workers find in their environment, with addresses as containers see them. This file is yours; keep it secret.',
    ...Object.entries(values).map(([name, value]) => settingsLine(name, inside(value))),
    ...secretSettings.filter((name) => !(name in values)).map((name) => `# ${name}=`),
    '',
  ].join('\n');
}

/** Ends with 0 when the worker is ready. The image has no other program than Node. */
function healthScript(): string {
  return `fetch('http://127.0.0.1:${STATUS_PORT}/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))`;
}
