import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../../topology/core/errors';
import { packageRoot } from '../../../topology/settings/package';
import { debianRoot, hasDebianPackages, type UnpackedProgram, unpackedProgram } from '../fetch/debian';
import { onPath, tryRun } from '../host/commands';
import { isFree } from '../host/ports';
import type { Program } from '../host/processes';
import { fits, type Part, type PartContext } from './part';

/** HAProxy's configuration: deploy/stack/haproxy.cfg, with this machine's addresses. */
export function haproxyConfiguration(context: PartContext): string {
  const { ports } = context;
  return readFileSync(join(packageRoot(), 'deploy', 'stack', 'haproxy.cfg'), 'utf8')
    .replace('bind :3306', `bind 127.0.0.1:${ports['haproxy']}`)
    .replace('bind :8083', `bind 127.0.0.1:${ports['haproxyConnect']}`)
    .replace(
      /^( +server \w+ )([\w-]+):\d+/gm,
      (_, server: string, part: string) => `${server}127.0.0.1:${ports[part]}`,
    );
}

/** HAProxy, which leads to the primary of the MySQL servers and to a Connect worker that answers. */
export class HaproxyPart implements Part {
  readonly name = 'haproxy';
  readonly needed = true;
  readonly graceMs = 5_000;
  readonly port: number;
  version: string;
  private program: UnpackedProgram | null = null;

  constructor(private readonly context: PartContext) {
    this.port = context.ports['haproxy'] as number;
    this.version = context.compose.service('haproxy').version;
  }

  readonly fetch = async (onFetch: () => void): Promise<void> => {
    const wanted = this.version;
    const found = await onPath('haproxy');
    const installed = found === null ? undefined : await versionOf({ command: found, prefix: [] });
    if (found !== null && installed !== undefined && fits(installed, wanted)) {
      this.program = { command: found, prefix: [] };
      this.version = installed;
      return;
    }
    if (!(await hasDebianPackages())) {
      throw new UserError(
        `HAProxy ${wanted} is needed and ${installed ?? 'none'} is on the PATH. Install it, or use Docker: downspout up --ha --docker`,
      );
    }
    this.program = unpackedProgram(await debianRoot(this.context.cache, onFetch), 'usr/sbin/haproxy');
    this.version = (await versionOf(this.program)) ?? wanted;
  };

  readonly prepare = async (): Promise<Program> => {
    const { command, prefix } = this.program as UnpackedProgram;
    const folder = join(this.context.folder, 'haproxy');
    mkdirSync(folder, { recursive: true });
    const configuration = haproxyConfiguration(this.context);
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(file, configuration);
    return {
      command,
      args: [...prefix, '-db', '-f', file],
      cwd: folder,
      logFile: join(this.context.folder, 'logs', 'haproxy.log'),
      configuration,
    };
  };

  /** It listens; whether it leads anywhere depends on the servers, which are made one group when all parts run. */
  readonly ready = async (): Promise<boolean> => !(await isFree(this.port));
}

async function versionOf({ command, prefix }: UnpackedProgram): Promise<string | undefined> {
  return /version (\d+\.\d+\.\d+)/.exec((await tryRun(command, [...prefix, '-v'])) ?? '')?.[1];
}
