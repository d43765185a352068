import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../../../topology/core/errors';
import type { ComposeFile } from '../compose-file';
import { debianRoot, hasDebianPackages, unpackedProgram } from '../fetch/debian';
import { onPath, run, tryRun } from '../host/commands';
import { ask } from '../host/ports';
import type { Program } from '../host/processes';
import { fits, majorMinor, type Part, type PartContext } from './part';

const SOCKET = 'mysqld.sock';
/** The first byte of a server's greeting after the packet's header: the version of the protocol. */
const PROTOCOL_10 = 10;

/** @throws UserError naming what to install when MySQL can neither be found nor fetched */
export async function requireMySql(compose: ComposeFile): Promise<void> {
  const wanted = compose.service('mysql').version;
  const { fitting, version } = await installedMySql(wanted);
  if (fitting !== null || (await hasDebianPackages())) return;
  throw new UserError(whatToInstall(wanted, `there is ${version ?? 'no mysqld'} on the PATH`));
}

function whatToInstall(wanted: string, found: string): string {
  const version = majorMinor(wanted);
  return `MySQL ${version} is needed and ${found}. Install MySQL ${version} so that \`mysqld\` is on the PATH, or use Docker: downspout up --docker`;
}

async function installedMySql(wanted: string): Promise<{ fitting: string | null; version: string | null }> {
  const found = await onPath('mysqld');
  const version = versionIn(found === null ? null : await tryRun(found, ['--version']));
  return { fitting: version !== null && fits(version, wanted) ? found : null, version };
}

function versionIn(banner: string | null): string | null {
  return /Ver (\d+\.\d+\.\d+)/.exec(banner ?? '')?.[1] ?? null;
}

interface Server {
  readonly command: string;
  readonly prefix: readonly string[];
  /** Where its messages and plugins are, when they are not where it was built to look. */
  readonly flags: readonly string[];
}

/** The services of docker-compose.yml that are MySQL servers; with `--ha` they are the members of one group. */
export const MYSQL_SERVERS = ['mysql', 'mysql-b', 'mysql-c'] as const;
export type MySqlName = (typeof MYSQL_SERVERS)[number];

/**
 * For a start at which no other member runs. A server that tried to join would wait a minute for somebody to begin the group,
 * and `up` for it.
 */
const ALONE = ['--persisted-globals-load=OFF', '--super-read-only=ON'];

/** mysqld with the flags of docker-compose.yml. */
export class MySqlPart implements Part {
  readonly needed = true;
  readonly graceMs = 20_000;
  readonly port: number;
  version: string;
  private server: Server | null = null;
  private readonly folder: string;

  constructor(
    private readonly context: PartContext,
    readonly name: MySqlName,
  ) {
    this.port = context.ports[name] as number;
    this.version = context.compose.service(name).version;
    this.folder = join(context.folder, name);
  }

  readonly fetch = async (onFetch: () => void): Promise<void> => {
    const wanted = this.version;
    const installed = await installedMySql(wanted);
    if (installed.fitting !== null) {
      this.server = { command: installed.fitting, prefix: [], flags: [] };
      this.version = installed.version as string;
      return;
    }
    await requireMySql(this.context.compose);
    const root = await debianRoot(this.context.cache, onFetch);
    const share = join(root, 'usr', 'share', 'mysql');
    this.server = {
      ...unpackedProgram(root, 'usr/sbin/mysqld'),
      flags: [
        `--lc-messages-dir=${share}`,
        `--character-sets-dir=${join(share, 'charsets')}`,
        `--plugin-dir=${join(root, 'usr', 'lib', 'mysql', 'plugin')}`,
      ],
    };
    const unpacked = await tryRun(this.server.command, [...this.server.prefix, '--no-defaults', '--version']);
    this.version = versionIn(unpacked) ?? wanted;
    if (!fits(this.version, wanted)) {
      throw new UserError(whatToInstall(wanted, `Debian has ${this.version} now`));
    }
  };

  readonly prepare = async (): Promise<Program> => {
    const server = this.server as Server;
    const data = join(this.folder, 'data');
    const shared = [
      ...server.prefix,
      // No file of this machine's; with --no-defaults it would not read what it keeps of itself either.
      '--defaults-file=/dev/null',
      ...server.flags,
      ...(process.getuid?.() === 0 ? ['--user=root'] : []),
    ];
    if (!existsSync(data)) await this.initialise(server.command, shared, data);
    const args = [
      ...shared,
      ...this.flags(),
      `--datadir=${data}`,
      '--bind-address=127.0.0.1',
      `--port=${this.port}`,
      // Relative to the data: the path of a socket may not be longer than some hundred characters.
      `--socket=${SOCKET}`,
      '--pid-file=mysqld.pid',
    ];
    return {
      command: server.command,
      args,
      once: this.context.ha && !this.context.groupRuns ? ALONE : [],
      cwd: this.folder,
      logFile: join(this.context.folder, 'logs', `${this.name}.log`),
      configuration: '',
    };
  };

  /** The lock names a process id, which may be used again by now: the server would not start. */
  readonly tidy = (): void => {
    for (const name of [SOCKET, `${SOCKET}.lock`]) rmSync(join(this.folder, 'data', name), { force: true });
  };

  readonly ready = async (): Promise<boolean> => {
    const greeting = await ask(this.port, null, 1_000);
    return greeting?.[4] === PROTOCOL_10;
  };

  /** Those of docker-compose.yml, with this machine's addresses. */
  private flags(): string[] {
    const { compose, ports } = this.context;
    const known = new Map<string, string>(MYSQL_SERVERS.map((name) => [`${name}:3306`, `127.0.0.1:${ports[name]}`]));
    return compose.service(this.name).command.map((flag) => {
      const [option = '', value = ''] = flag.split(/=(.*)/s);
      if (option === '--report-host') return `${option}=127.0.0.1`;
      if (!/-(local-address|group-seeds)$/.test(option)) return flag;
      return `${option}=${value
        .split(',')
        .map((place) => known.get(place) ?? place)
        .join(',')}`;
    });
  }

  /** Moved to its place when it is whole, so that an interrupted one is made again. */
  private async initialise(command: string, shared: readonly string[], data: string): Promise<void> {
    const fresh = `${data}.new`;
    const accounts = `${data}.accounts.sql`;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(dirname(data), { recursive: true });
    const password = this.context.adminPassword.replace(/['\\]/g, '\\$&');
    writeFileSync(
      accounts,
      [
        `ALTER USER 'root'@'localhost' IDENTIFIED BY '${password}';`,
        `CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY '${password}';`,
        `GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n`,
      ].join('\n'),
      { mode: 0o600 },
    );
    try {
      await run(command, [...shared, '--initialize-insecure', `--init-file=${accounts}`, `--datadir=${fresh}`], {
        cwd: this.folder,
      });
    } finally {
      rmSync(accounts, { force: true });
    }
    renameSync(fresh, data);
  }
}
