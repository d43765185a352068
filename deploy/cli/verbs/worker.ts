import { type Command, InvalidArgumentError } from 'commander';
import { topologyOf } from '../../../topology/settings/topology-settings';
import type { OutputOptions } from '../../console/output';
import { runWorker } from '../../worker/main';
import { contextOf, verb } from '../verb';

interface WorkerOptions extends OutputOptions {
  readonly component: readonly string[];
  readonly statusPort: number;
  readonly statusHost: string;
}

/** `downspout worker`. */
export function workerCommand(): Command {
  return verb('worker', 'run components in this process until SIGTERM, which drains them', {
    example: 'downspout worker --component due,webhook',
    fails: 'what was under way did not end in time',
  })
    .requiredOption('--component <names>', 'components of topology.yaml, for example due,webhook', parseNames)
    .option('--status-port <n>', '/healthz, /readyz and /metrics; 0 for any free port', parsePort, 0)
    .option('--status-host <address>', 'the address they are served on', '127.0.0.1')
    .addHelpText(
      'after',
      '\nLogs are JSON lines on standard output, pretty on a terminal; LOG_LEVEL chooses how much.\n' +
        'A second signal ends the process at once.',
    )
    .action(async (options: WorkerOptions) => {
      const { environment } = contextOf(options).settings;
      await runWorker({
        components: options.component,
        environment,
        settings: topologyOf(environment),
        status: { host: options.statusHost, port: options.statusPort },
        pretty: process.stdout.isTTY,
      });
    });
}

function parseNames(text: string): string[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))];
  if (names.includes('')) throw new InvalidArgumentError('Expected names, separated by commas.');
  return names;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('Expected a port, 0 to 65535.');
  return port;
}
