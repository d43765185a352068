import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../../topology/core/errors';
import { onPath, run, tryRun } from './commands';
import { fetchDebianPackages, hasDebianPackages, unpackedProgram } from './debian';
import { fits, majorMinor, type Part, type PartContext } from './part';
import { ask } from './ports';
import type { Program } from './processes';

/** MySQL, Prometheus and HAProxy share libraries, so one folder holds them all. */
const PACKAGES = ['mysql-server-core', 'haproxy', 'prometheus'];
/** The first byte of a server's greeting after the packet's header: the version of the protocol. */
const PROTOCOL_10 = 10;

/** The unpacked Debian packages of the stack. The name changes with the list of packages. */
export function debianRoot(context: PartContext, onFetch: () => void): Promise<string> {
  return context.cache.obtain('debian-1', (folder) => fetchDebianPackages(PACKAGES, folder), onFetch);
}

interface Server {
  readonly command: string;
  readonly prefix: readonly string[];
  /** Where its messages and plugins are, when they are not where it was built to look. */
  readonly flags: readonly string[];
}

/** mysqld with the flags of docker-compose.yml. */
export class MySqlPart implements Part {
  readonly name = 'mysql';
  readonly grace = 20_000;
  readonly port: number;
  version: string;
  private server: Server | null = null;
  private readonly folder: string;

  constructor(private readonly context: PartContext) {
    this.port = context.ports['mysql'] as number;
    this.version = context.compose.service('mysql').version;
    this.folder = join(context.folder, 'mysql');
  }

  readonly fetch = async (onFetch: () => void): Promise<void> => {
    const wanted = this.version;
    const found = await onPath('mysqld');
    const banner = found === null ? null : await tryRun(found, ['--version']);
    const version = /Ver (\d+\.\d+\.\d+)/.exec(banner ?? '')?.[1];
    if (found !== null && version !== undefined && fits(version, wanted)) {
      this.server = { command: found, prefix: [], flags: [] };
      this.version = version;
      return;
    }
    if (!(await hasDebianPackages())) {
      throw new UserError(
        `MySQL ${majorMinor(wanted)} is needed and there is ${version ?? 'no mysqld'} on the PATH. ` +
          `Install MySQL ${majorMinor(wanted)} so that \`mysqld\` is on the PATH, or use Docker: downspout up --docker`,
      );
    }
    const root = await debianRoot(this.context, onFetch);
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
    this.version = /Ver (\d+\.\d+\.\d+)/.exec(unpacked ?? '')?.[1] ?? wanted;
    if (!fits(this.version, wanted)) {
      throw new UserError(
        `MySQL ${majorMinor(wanted)} is needed and Debian has ${this.version} now. ` +
          `Install MySQL ${majorMinor(wanted)} so that \`mysqld\` is on the PATH, or use Docker: downspout up --docker`,
      );
    }
  };

  readonly prepare = async (): Promise<Program> => {
    const server = this.server as Server;
    const data = join(this.folder, 'data');
    const shared = [
      ...server.prefix,
      '--no-defaults',
      ...server.flags,
      ...(process.getuid?.() === 0 ? ['--user=root'] : []),
    ];
    if (!existsSync(data)) await this.initialise(server.command, shared, data);
    const args = [
      ...shared,
      ...this.context.compose.service('mysql').command,
      `--datadir=${data}`,
      '--bind-address=127.0.0.1',
      `--port=${this.port}`,
      // Relative to the data: the path of a socket may not be longer than some hundred characters.
      '--socket=mysqld.sock',
      '--pid-file=mysqld.pid',
    ];
    return {
      command: server.command,
      args,
      cwd: this.folder,
      logFile: join(this.context.folder, 'logs', 'mysql.log'),
      configuration: '',
    };
  };

  readonly ready = async (): Promise<boolean> => {
    const greeting = await ask(this.port, null, 1_000);
    return greeting?.[4] === PROTOCOL_10;
  };

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
