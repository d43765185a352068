import { type Command, Option } from 'commander';
import type { NewRelease, Release } from '../../connectors/mysql/operators/releases';
import { readDeployment } from '../../connectors/mysql/workers/deployment';
import type { ReadTopology } from '../../topology/settings/topology-settings';
import { parseCountOrNone, parseDuration } from '../console/durations';
import type { Deployed } from '../release/deployer';
import { clusterOperators } from '../targets/kubernetes/manifests';
import type { Deploying } from './deploying';
import { type EngineOptions, engineOf } from './engines';
import { isGiven } from './given-options';
import { namespaceOption } from './namespace-option';
import { UsageError } from './usage-error';
import type { VerbContext } from './verb';

export interface RollOptions extends EngineOptions {
  readonly canary: number;
  readonly pause: number;
  readonly state?: string;
  readonly supervisor: boolean;
  readonly yes?: boolean;
}

const DEFAULT_PAUSE_MS = 15_000;

/** The options of verbs that roll workers. */
export function withRollOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--canary <n>', 'of each component, replace so many workers first')
        .argParser(parseCountOrNone)
        .default(1),
    )
    .addOption(
      new Option('--pause <time>', 'watch what was replaced for so long before others follow; 0s: watch nothing')
        .argParser(parseDuration)
        .default(DEFAULT_PAUSE_MS, '15s'),
    )
    .option('--state <folder>', 'of this host’s supervisor (default: workers/ in .downspout)')
    .option('--no-supervisor', 'start no supervisor on this host')
    .option('--out <folder>', 'where manifests or the compose file are written (default: kubernetes/ or compose/)')
    .addOption(namespaceOption("of kubernetes (default: kubectl's own)"))
    .addOption(
      new Option(
        '--without <operators...>',
        'what the cluster of kubernetes lacks: objects for it are left out',
      ).choices(clusterOperators),
    )
    .option('--yes', 'do not ask');
}

type Targets = readonly Release['target'][];

/** Which targets an option is of, where it is not of all. */
const targetsOf: Readonly<Record<string, Targets>> = {
  state: ['local'],
  supervisor: ['local'],
  image: ['kubernetes', 'compose'],
  out: ['kubernetes', 'compose'],
  namespace: ['kubernetes'],
  without: ['kubernetes'],
};

/** @throws UsageError for options that were given and mean nothing on the target, rather than to take no notice of them */
export function refuseOptionsOfOthers(command: Command, target: Release['target']): void {
  const wrong = command.options.flatMap((option) => {
    const targets = targetsOf[option.attributeName()];
    if (targets === undefined || targets.includes(target) || !isGiven(command, option)) return [];
    return [`${option.long} is of the target ${targets.join(' or ')}, and the target is ${target}.`];
  });
  if (wrong.length > 0) throw new UsageError(wrong.join('\n'));
}

/**
 * Deploys a release where its target has the workers.
 * @param file the topology that it is of; without it the release is what an earlier one said, with other counts or not
 */
export async function deployRelease(
  context: VerbContext,
  { deployer, engineDeployer, pool }: Pick<Deploying, 'deployer' | 'engineDeployer' | 'pool'>,
  wanted: NewRelease,
  options: RollOptions,
  file?: ReadTopology,
): Promise<Deployed> {
  const { target } = wanted;
  if (target === 'local') return deployer.deploy(wanted, { canaries: options.canary, pauseMs: options.pause });
  const idOf = async () => (await readDeployment(pool)).id;
  const place = { ...options, environment: wanted.environment || undefined };
  return engineDeployer(engineOf(target, place, context, idOf, file)).deploy(wanted, options.pause);
}
