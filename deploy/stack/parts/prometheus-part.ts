import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { UserError } from '../../../topology/core/errors';
import { packageRoot } from '../../../topology/settings/package';
import { debianRoot, hasDebianPackages } from '../fetch/debian';
import { onPath, tryRun } from '../host/commands';
import type { Program } from '../host/processes';
import { answersOk, fits, type Part, type PartContext } from './part';

/** Where the image has its configuration. */
const IMAGE_FOLDER = '/etc/prometheus';

/** Prometheus. Workers that write their address into `prometheus/targets/*.json` are scraped. */
export class PrometheusPart implements Part {
  readonly name = 'prometheus';
  readonly needed = false;
  readonly graceMs = 10_000;
  readonly port: number;
  version: string;
  private command = '';
  private readonly folder: string;

  constructor(private readonly context: PartContext) {
    this.port = context.ports['prometheus'] as number;
    this.version = context.compose.service('prometheus').version.replace(/^v/, '');
    this.folder = join(context.folder, 'prometheus');
  }

  readonly fetch = async (onFetch: () => void): Promise<void> => {
    const wanted = this.version;
    const found = await onPath('prometheus');
    const version = found === null ? undefined : await versionOf(found);
    if (found !== null && version !== undefined && fits(version, wanted)) {
      this.command = found;
      this.version = version;
      return;
    }
    if (!(await hasDebianPackages())) throw new UserError(`Prometheus ${wanted} is not on the PATH.`);
    this.command = join(await debianRoot(this.context.cache, onFetch), 'usr', 'bin', 'prometheus');
    this.version = (await versionOf(this.command)) ?? wanted;
  };

  readonly prepare = async (): Promise<Program> => {
    mkdirSync(join(this.folder, 'targets'), { recursive: true });
    const monitoring = join(packageRoot(), 'deploy', 'monitoring');
    copyFileSync(join(monitoring, 'alerts.yml'), join(this.folder, 'alerts.yml'));
    const template = withoutContainers(readFileSync(join(monitoring, 'prometheus.yml'), 'utf8'));
    const configuration = join(this.folder, 'prometheus.yml');
    const text = template.replaceAll(IMAGE_FOLDER, this.folder).replaceAll('localhost:9090', `127.0.0.1:${this.port}`);
    writeFileSync(configuration, text);
    const flags = this.context.compose
      .service('prometheus')
      .command.filter((flag) => !/^--(config\.file|storage\.tsdb\.path)=/.test(flag));
    return {
      command: this.command,
      args: [
        ...flags,
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${join(this.folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${this.port}`,
      ],
      cwd: this.folder,
      logFile: join(this.context.folder, 'logs', 'prometheus.log'),
      configuration: text,
    };
  };

  readonly ready = (): Promise<boolean> => answersOk(`http://127.0.0.1:${this.port}/-/ready`);
}

/** Natively no worker runs in a container, and nobody knows their name. */
function withoutContainers(text: string): string {
  const configuration = parse(text) as { scrape_configs: readonly { readonly job_name: string }[] };
  const jobs = configuration.scrape_configs.filter((job) => job.job_name !== 'downspout-containers');
  return stringify({ ...configuration, scrape_configs: jobs });
}

async function versionOf(command: string): Promise<string | undefined> {
  return /version (\d+\.\d+\.\d+)/.exec((await tryRun(command, ['--version'])) ?? '')?.[1];
}
