import { type Command, InvalidArgumentError } from 'commander';
import type { WorkerPlace } from '../../../topology/runtime/worker-registry';
import { topologyOf } from '../../../topology/settings/topology-settings';
import { parseCount, parsePort } from '../../console/durations';
import type { OutputOptions } from '../../console/output';
import { knownChannels } from '../../worker/known-channels';
import { runWorker } from '../../worker/main';
import { UsageError } from '../usage-error';
import { contextOf, verb } from '../verb';

interface WorkerOptions extends OutputOptions {
  readonly component: readonly string[];
  readonly release?: number;
  readonly replica?: number;
  readonly supervisor?: string;
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
    .option('--release <n>', 'run what this release says instead of topology.yaml', parseCount)
    .option('--replica <n>', 'the placement of the component that this worker fills', parseCount)
    .option('--supervisor <id>', 'the supervisor that starts it', parseSession)
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
        settings: placeOf(options) ?? topologyOf(environment),
        status: { host: options.statusHost, port: options.statusPort },
        pretty: process.stdout.isTTY,
        channels: knownChannels(environment),
      });
    });
}

/** @throws UsageError for a replica or supervisor without a release: such a worker would run another specification */
function placeOf({ release, replica, supervisor }: WorkerOptions): WorkerPlace | undefined {
  if (release === undefined) {
    if (replica === undefined && supervisor === undefined) return undefined;
    throw new UsageError('--replica and --supervisor need --release: a placement says which release it runs.');
  }
  return {
    releaseNumber: release,
    ...(replica === undefined ? {} : { replica }),
    ...(supervisor === undefined ? {} : { supervisor }),
  };
}

function parseSession(text: string): string {
  if (!/^[0-9a-f]{32}$/.test(text)) throw new InvalidArgumentError('Expected 32 hex digits.');
  return text;
}

function parseNames(text: string): string[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))];
  if (names.includes('')) throw new InvalidArgumentError('Expected names, separated by commas.');
  return names;
}
