import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemClock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import { packageRoot } from '../../topology/settings/package';
import { ComposeFile, HA_VARIABLES } from './compose-file';
import { run } from './host/commands';
import { joinMembers } from './members';
import { brokersOf } from './parts/kafka-part';
import type { Report, Stack, StackOptions } from './stack';
import { withStackLock } from './stack-lock';
import { CDC_PASSWORD_VARIABLE, type StackAddresses, stackSettings, writeSettings } from './stack-settings';
import { newState, StackStateFile, writePrivate } from './stack-state';

const START_LIMIT_SECONDS = 300;
/** What the database's administrator is called by default in docker-compose.yml. */
const DEFAULT_ROOT_PASSWORD = 'downspout';

/** The stack in containers, by `docker compose`. */
export class ComposeStack implements Stack {
  readonly kind = 'Docker';
  private readonly file: string;
  private readonly compose: ComposeFile;
  private readonly state: StackStateFile;

  /**
   * @param execute runs a program and returns what it prints
   * @param joining makes the MySQL servers one group
   */
  constructor(
    private readonly options: StackOptions,
    private readonly execute: typeof run = run,
    private readonly joining: typeof joinMembers = joinMembers,
  ) {
    this.file = options.composeFile ?? join(packageRoot(), 'docker-compose.yml');
    this.compose = ComposeFile.read(this.file, options.variables);
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
    const state = this.state.read() ?? newState('compose', variables['MYSQL_ROOT_PASSWORD'] ?? DEFAULT_ROOT_PASSWORD);
    if (state.mode !== 'compose') throw new UserError('The stack runs natively. Stop it first: downspout down');
    state.ha ||= this.options.ha === true;
    this.state.write(state);
    mkdirSync(join(folder, 'prometheus', 'targets'), { recursive: true });
    report({
      part: 'docker',
      stage: 'starting',
      text: 'fetching images and starting containers; the first time takes minutes',
    });
    await this.docker(state.ha, ['up', '--detach', '--wait', '--wait-timeout', String(START_LIMIT_SECONDS)]);
    for (const name of this.compose.names()) {
      const { ports, version, profiles } = this.compose.service(name);
      if (profiles.length > 0 && !state.ha) continue;
      const where = ports.length === 0 ? '' : ` on port ${ports.map(({ number }) => number).join(', ')}`;
      report({ part: name, stage: 'ready', text: `${version}${where}` });
    }
    const settings = stackSettings(folder, this.addresses(state.ha), state.passwords);
    if (state.ha) {
      await this.joining({
        passwords: state.passwords,
        at: (name) => this.onHost(name),
        clock: systemClock,
        restart: async (name) => void (await this.docker(true, ['start', name])),
        report,
      });
    }
    writeSettings(folder, settings);
    return settings;
  }

  private async stop(wipe: boolean, report: Report): Promise<void> {
    report({ part: 'docker', stage: 'stopping', text: 'stopping containers' });
    await this.docker(this.state.read()?.ha === true, ['down', ...(wipe ? ['--volumes'] : [])]);
    report({ part: 'docker', stage: 'stopped', text: 'stopped' });
    if (!wipe) return;
    for (const entry of ['stack.json', 'env.json', 'secret.key', 'compose.env', 'prometheus']) {
      rmSync(join(this.options.folder, entry), { recursive: true, force: true });
    }
  }

  /** @param ha services behind the profile are neither started nor stopped without it */
  private docker(ha: boolean, args: readonly string[]): Promise<string> {
    const { folder } = this.options;
    const cdcPassword = this.state.read()?.passwords.cdc ?? '';
    const variables = {
      [CDC_PASSWORD_VARIABLE]: cdcPassword,
      DOWNSPOUT_TARGETS: join(folder, 'prometheus', 'targets'),
      ...(ha ? HA_VARIABLES : {}),
      ...this.options.variables,
    };
    const environment = join(folder, 'compose.env');
    writePrivate(
      environment,
      Object.entries(variables)
        .map(([name, value]) => `${name}='${value}'\n`)
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
        ...(ha ? ['--profile', 'ha'] : []),
        ...args,
      ],
      {},
    );
  }

  /** Containers see each other by name; this machine sees published ports. */
  private addresses(ha: boolean): StackAddresses {
    const host = (name: string) => this.onHost(name);
    return {
      mysql: host(ha ? 'haproxy' : 'mysql'),
      kafka: brokersOf({ ha }).map(host).join(','),
      connectUrl: `http://${ha ? this.onHost('haproxy', 1) : host('connect')}`,
      kafkaUiUrl: `http://${host('kafka-ui')}`,
      prometheusUrl: `http://${host('prometheus')}`,
      grafanaUrl: `http://${host('grafana')}`,
      mysqlOfConnect: ha ? 'haproxy:3306' : 'mysql:3306',
      kafkaOfConnect: ha ? (HA_VARIABLES['KAFKA_BOOTSTRAP'] as string) : 'kafka:9094',
    };
  }

  /** @param index of the published port */
  private onHost(name: string, index = 0): string {
    return `127.0.0.1:${this.compose.service(name).ports[index]?.number}`;
  }
}
