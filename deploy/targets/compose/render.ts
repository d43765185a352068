import { stringify } from 'yaml';
import type { Environment } from '../../../topology/settings/environment';
import { replicasOf, type TopologySettings } from '../../../topology/settings/topology-settings';
import { graceSeconds } from '../../worker/drain-limit';
import type { RenderedFile } from '../rendering';
import { openSettingsOf, secretSettings } from '../worker-settings';

const STATUS_PORT = 8080;
const FOLDER = '/etc/downspout';
/** The name under which Prometheus finds all of them. */
const ALIAS = 'downspout-workers';

export interface ComposeOptions {
  readonly specification: unknown;
  readonly settings: TopologySettings;
  readonly image: string;
  readonly environment: Environment;
  /** The release that workers read from the database; without it they read topology.yaml. */
  readonly release?: number | undefined;
  /** What an address of this machine is called in the network of the containers; the same unless given. */
  readonly inside?: (addresses: string) => string;
}

/** The service of a component. */
export function serviceName(component: string): string {
  return `worker-${component.toLowerCase()}`;
}

/** Workers as services beside those of docker-compose.yml: as many of each as topology.yaml says. */
export function renderCompose(options: ComposeOptions): RenderedFile[] {
  const { specification, settings, image, environment, release, inside = (addresses) => addresses } = options;
  const services = [...replicasOf(settings)].map(([component, replicas]) => [
    serviceName(component),
    {
      image,
      command: [
        'worker',
        `--component=${component}`,
        '--status-host=0.0.0.0',
        `--status-port=${STATUS_PORT}`,
        ...(release === undefined ? [] : [`--release=${release}`]),
      ],
      deploy: { replicas },
      // Secrets come from a file that only its owner reads, and open settings from it too: an address differs by place.
      env_file: ['${DOWNSPOUT_WORKERS:-./compose}/workers.env'],
      environment: { DOWNSPOUT_TOPOLOGY: `${FOLDER}/topology.yaml` },
      volumes: [`\${DOWNSPOUT_WORKERS:-./compose}/topology.yaml:${FOLDER}/topology.yaml:ro`],
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
    },
  ]);
  const values: Record<string, string> = openSettingsOf(environment, `${FOLDER}/files`);
  for (const name of secretSettings) if (environment[name] !== undefined) values[name] = environment[name];
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
      path: 'workers.env',
      text: [
        '# What the workers find in their environment, with addresses as containers see them. This file is yours; keep it secret.',
        ...Object.entries(values).map(([name, value]) => `${name}=${inside(value)}`),
        ...secretSettings.filter((name) => !(name in values)).map((name) => `# ${name}=`),
        '',
      ].join('\n'),
      isYours: true,
      isSecret: true,
    },
  ];
}

/** Ends with 0 when the worker is ready. The image has no other program than Node. */
function healthScript(): string {
  return `fetch('http://127.0.0.1:${STATUS_PORT}/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))`;
}
