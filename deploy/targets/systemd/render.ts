import { UserError } from '../../../topology/core/errors';
import { replicasOf, type TopologySettings } from '../../../topology/settings/topology-settings';
import { graceSeconds } from '../../worker/drain-limit';
import type { RenderedFile } from '../rendering';

export interface SystemdOptions {
  readonly settings: TopologySettings;
  /** The whole path of the topology file, which workers read that no supervisor runs. */
  readonly topology: string;
  /** Whose topology it is: `production`. */
  readonly environment?: string | undefined;
  /** The command line of `downspout`, with absolute paths. */
  readonly program: readonly string[];
  /** The address at which workers serve their figures; on their host alone unless given. */
  readonly statusHost?: string | undefined;
  /** The user that workers run as. */
  readonly user: string;
  /** The file of settings that all units read. */
  readonly settingsFile: string;
}

/** What the supervisor remembers, the logs of its workers, and the media that they send. */
const STATE = '/var/lib/downspout';
/** After the workers' own time, for the supervisor itself. */
const SUPERVISOR_MARGIN_SECONDS = 15;

/**
 * Units for a host without another engine: the supervisor, which runs what was deployed to the target `local`; or, instead of it,
 * the workers of topology.yaml themselves, as instances of a unit for each component under one target.
 * @throws UserError for a path with a line end: what follows it would be a line of its own
 */
export function renderSystemd(options: SystemdOptions): RenderedFile[] {
  const { settings } = options;
  const components = [...replicasOf(settings)];
  return [
    supervisorUnit(options),
    ...components.map(([component]) => workerUnit(component, options)),
    {
      path: 'downspout-workers.target',
      text: unit({
        Unit: [
          'Description=The workers of Downspout',
          ...components.flatMap(([component, replicas]) =>
            Array.from({ length: replicas }, (_, index) => `Wants=downspout-${component}@${index + 1}.service`),
          ),
        ],
        Install: ['WantedBy=multi-user.target'],
      }),
    },
  ];
}

/**
 * It drains its workers itself. When it dies alone, or one worker is killed for want of memory, the other workers go on, and its
 * next life finds them.
 */
function supervisorUnit(options: SystemdOptions): RenderedFile {
  const components = [...replicasOf(options.settings).keys()];
  const seconds = graceSeconds(components, options.settings) + SUPERVISOR_MARGIN_SECONDS;
  return {
    path: 'downspout-supervisor.service',
    text: unit({
      Unit: ['Description=Downspout: runs the workers that were deployed to this host', ...network],
      Service: [
        `ExecStart=${commandLine([...options.program, 'supervisor', '--state', STATE, ...status(options)])}`,
        'StateDirectory=downspout downspout/tmp',
        // A private /tmp is removed when the supervisor ends, also under the workers that go on without it.
        `Environment=TMPDIR=${STATE}/tmp`,
        'KillMode=process',
        'OOMPolicy=continue',
        ...service(options, seconds),
      ],
      Install: ['WantedBy=multi-user.target'],
    }),
  };
}

function workerUnit(component: string, options: SystemdOptions): RenderedFile {
  return {
    path: `downspout-${component}@.service`,
    text: unit({
      Unit: [`Description=Downspout: worker %i of ${component}`, 'PartOf=downspout-workers.target', ...network],
      Service: [
        `ExecStart=${commandLine([...options.program, 'worker', `--component=${component}`, ...status(options)])}`,
        'KillMode=mixed',
        'PrivateTmp=yes',
        ...topologyOf(options),
        ...service(options, graceSeconds([component], options.settings)),
      ],
      Install: ['WantedBy=downspout-workers.target'],
    }),
  };
}

const network = ['Wants=network-online.target', 'After=network-online.target', 'StartLimitIntervalSec=0'];

/** What all services have in common: they come back, may do little, and have time to end. */
function service({ user, settingsFile }: SystemdOptions, stopSeconds: number): string[] {
  return [
    `User=${user}`,
    `EnvironmentFile=${settingsFile.replaceAll('%', '%%')}`,
    'Restart=always',
    'RestartSec=1s',
    `TimeoutStopSec=${stopSeconds}s`,
    'NoNewPrivileges=yes',
    'CapabilityBoundingSet=',
    'ProtectSystem=strict',
    'ProtectHome=read-only',
    'PrivateDevices=yes',
    'ProtectKernelTunables=yes',
    'ProtectControlGroups=yes',
    'RestrictSUIDSGID=yes',
  ];
}

function status({ statusHost }: SystemdOptions): string[] {
  return statusHost === undefined ? [] : ['--status-host', statusHost];
}

/** What the file of settings says of them counts before. */
function topologyOf({ topology, environment }: SystemdOptions): string[] {
  const values = {
    DOWNSPOUT_TOPOLOGY: topology,
    ...(environment === undefined ? {} : { DOWNSPOUT_ENVIRONMENT: environment }),
  };
  return Object.entries(values).map(([name, value]) => `Environment=${word(`${name}=${value}`)}`);
}

function unit(sections: Readonly<Record<string, readonly string[]>>): string {
  const texts = Object.entries(sections).map(([name, lines]) => `[${name}]\n${lines.join('\n')}\n`);
  return `# Written by \`downspout render systemd\`.\n${texts.join('\n')}`;
}

/** Command lines have variables too, so a dollar sign is doubled there. */
function commandLine(words: readonly string[]): string {
  return words.map((one) => word(one).replaceAll('$', '$$$$')).join(' ');
}

/** A word as systemd reads it: a percent sign is doubled, and blanks need quotes. */
function word(text: string): string {
  if (/[\r\n]/.test(text)) {
    throw new UserError(`${JSON.stringify(text)} has a line end, which no unit can hold. Give it another place.`);
  }
  const plain = text.replaceAll('%', '%%');
  return /[\s"'\\]/.test(plain) ? `"${plain.replaceAll(/["\\]/g, '\\$&')}"` : plain;
}
