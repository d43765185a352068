import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemClock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import { packageRoot } from '../../topology/settings/package';
import { composeQuoted } from './compose-env';
import { ComposeFile, HA_VARIABLES } from './compose-file';
import { newCluster, newProject, projectOf, variablesOf } from './compose-project';
import { run } from './host/commands';
import { PortReservations } from './host/port-reservations';
import { joinMembers } from './members';
import { brokersOf } from './parts/kafka-part';
import { choosePublishedPorts, type Reservations } from './port-choice';
import type { Report, Stack, StackOptions } from './stack';
import { withStackLock } from './stack-lock';
import { CDC_PASSWORD_VARIABLE, type StackAddresses, stackSettings, writeSettings } from './stack-settings';
import { newState, type StackState, StackStateFile, writePrivate } from './stack-state';

const START_LIMIT_SECONDS = 300;
/** What the database's administrator is called by default in docker-compose.yml. */
const DEFAULT_ROOT_PASSWORD = 'downspout';

/** What `docker ps` says of a port that a container publishes. */
const PUBLISHED = /127\.0\.0\.1:(\d+)->/g;

/**
 * The stack in containers, by `docker compose`.
 *
 * 1. *Two folders run side by side*: each has a project of its own, so containers, networks and volumes of its own, and free ports.
 * 2. *A stack keeps its project* for as long as it has data: also one that was started before each had its own.
 */
export class ComposeStack implements Stack {
  readonly kind = 'Docker';
  private readonly file: string;
  private readonly state: StackStateFile;

  /**
   * @param execute runs a program and returns what it prints
   * @param joining makes the MySQL servers one group
   * @param reserving keeps other starts from choosing the same ports until it ends
   */
  constructor(
    private readonly options: StackOptions,
    private readonly execute: typeof run = run,
    private readonly joining: typeof joinMembers = joinMembers,
    private readonly reserving: () => Reservations & Pick<PortReservations, 'end'> = () => new PortReservations(),
  ) {
    this.file = options.composeFile ?? join(packageRoot(), 'docker-compose.yml');
    this.state = new StackStateFile(options.folder);
  }

  up(report: Report): Promise<Record<string, string>> {
    return withStackLock(this.options.folder, systemClock, report, () => this.start(report));
  }

  down(wipe: boolean, report: Report): Promise<void> {
    return withStackLock(this.options.folder, systemClock, report, () => this.stop(wipe, report));
  }

  private async start(report: Report): Promise<Record<string, string>> {
    const { folder, variables } = this.options;
    const state = this.remembered();
    if (state.mode !== 'compose') throw new UserError('The stack runs natively. Stop it first: downspout down');
    state.ha ||= this.options.ha === true;
    state.project = projectOf(state, variables);
    mkdirSync(join(folder, 'prometheus', 'targets'), { recursive: true });
    const reservations = this.reserving();
    try {
      const ours = await this.published(state.project);
      state.ports = await choosePublishedPorts(this.composeOf(variables), state, variables, ours, reservations);
      this.state.write(state);
      report({
        part: 'docker',
        stage: 'starting',
        text: 'fetching images and starting containers; the first time takes minutes',
      });
      await this.docker(state, ['up', '--detach', '--wait', '--wait-timeout', String(START_LIMIT_SECONDS)]);
    } finally {
      reservations.end();
    }
    const compose = this.composeOf(variablesOf(state, variables));
    for (const name of compose.names()) {
      const { ports, version, profiles } = compose.service(name);
      if (profiles.length > 0 && !state.ha) continue;
      const where = ports.length === 0 ? '' : ` on port ${ports.map(({ number }) => number).join(', ')}`;
      report({ part: name, stage: 'ready', text: `${version}${where}` });
    }
    const settings = stackSettings(folder, addressesOf(compose, state.ha), state.passwords);
    if (state.ha) {
      await this.joining({
        passwords: state.passwords,
        at: (name) => onHost(compose, name),
        clock: systemClock,
        restart: async (name) => void (await this.docker(state, ['start', name])),
        report,
      });
    }
    writeSettings(folder, settings);
    return settings;
  }

  private async stop(wipe: boolean, report: Report): Promise<void> {
    report({ part: 'docker', stage: 'stopping', text: 'stopping containers' });
    await this.docker(this.remembered(), ['down', ...(wipe ? ['--volumes'] : [])]);
    report({ part: 'docker', stage: 'stopped', text: 'stopped' });
    if (!wipe) return;
    for (const entry of ['stack.json', 'env.json', 'secret.key', 'compose.env', 'prometheus']) {
      rmSync(join(this.options.folder, entry), { recursive: true, force: true });
    }
  }

  /** The stack of this folder, or one that begins. */
  private remembered(): StackState {
    const { folder, variables } = this.options;
    return (
      this.state.read() ?? {
        ...newState('compose', variables['MYSQL_ROOT_PASSWORD'] ?? DEFAULT_ROOT_PASSWORD),
        clusterId: newCluster(variables),
        project: newProject(dirname(folder), variables),
      }
    );
  }

  private composeOf(variables: Readonly<Record<string, string>>): ComposeFile {
    return ComposeFile.read(this.file, variables);
  }

  /** The ports of this machine that containers of a project publish now. */
  private async published(project: string): Promise<ReadonlySet<number>> {
    const filter = `label=com.docker.compose.project=${project}`;
    const said = await this.execute('docker', ['ps', '--filter', filter, '--format', '{{.Ports}}'], {});
    return new Set([...said.matchAll(PUBLISHED)].map(([, port]) => Number(port)));
  }

  /** Services behind the profile are neither started nor stopped without it. */
  private docker(state: StackState, args: readonly string[]): Promise<string> {
    const { folder } = this.options;
    const project = projectOf(state, this.options.variables);
    const variables = {
      [CDC_PASSWORD_VARIABLE]: state.passwords.cdc,
      DOWNSPOUT_TARGETS: join(folder, 'prometheus', 'targets'),
      ...(state.ha ? HA_VARIABLES : {}),
      ...variablesOf(state, this.options.variables),
      // For people: `docker compose --env-file .downspout/compose.env` is about this stack.
      COMPOSE_PROJECT_NAME: project,
    };
    const environment = join(folder, 'compose.env');
    writePrivate(
      environment,
      Object.entries(variables)
        .map(([name, value]) => `${name}=${composeQuoted(name, value)}\n`)
        .join(''),
    );
    return this.execute(
      'docker',
      [
        'compose',
        '--env-file',
        environment,
        '--file',
        this.file,
        '--project-directory',
        dirname(this.file),
        '--project-name',
        project,
        ...(state.ha ? ['--profile', 'ha'] : []),
        ...args,
      ],
      {},
    );
  }
}

/** Containers see each other by name; this machine sees published ports. */
function addressesOf(compose: ComposeFile, ha: boolean): StackAddresses {
  const host = (name: string) => onHost(compose, name);
  return {
    mysql: host(ha ? 'haproxy' : 'mysql'),
    kafka: brokersOf({ ha }).map(host).join(','),
    connectUrl: `http://${ha ? onHost(compose, 'haproxy', 1) : host('connect')}`,
    kafkaUiUrl: `http://${host('kafka-ui')}`,
    prometheusUrl: `http://${host('prometheus')}`,
    grafanaUrl: `http://${host('grafana')}`,
    mysqlOfConnect: ha ? 'haproxy:3306' : 'mysql:3306',
    kafkaOfConnect: ha ? (HA_VARIABLES['KAFKA_BOOTSTRAP'] as string) : 'kafka:9094',
  };
}

/** @param index of the published port */
function onHost(compose: ComposeFile, name: string, index = 0): string {
  return `127.0.0.1:${compose.service(name).ports[index]?.number}`;
}
