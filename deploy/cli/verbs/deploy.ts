import { type Command, Option } from 'commander';
import { currentRelease, type Release } from '../../../connectors/mysql/operators/releases';
import { readDeployment } from '../../../connectors/mysql/workers/deployment';
import { systemClock } from '../../../topology/core/clock';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { packageVersion } from '../../../topology/settings/package';
import { confirm } from '../../console/confirm';
import { parseCountOrNone, parseDuration } from '../../console/durations';
import { planOf } from '../../release/plan';
import type { Live } from '../../release/plan-types';
import { prepareDatabase } from '../../release/prepare-database';
import { readLive } from '../../release/read-live';
import { releasesOf, requireAsSeen, type Seen, seeReleases } from '../../release/seen';
import { clusterOperators } from '../../targets/kubernetes/manifests';
import { withPool } from '../database';
import { imageRelease, ownRelease, prepareLock, tellDeployed, withDeployer } from '../deploying';
import { defaultImage, type EngineOptions, engineOf } from '../engines';
import { isGiven } from '../given-options';
import { planText } from '../plan-text';
import { tellPlan } from '../rehearsal';
import { type TopologyFileOptions, topologyFileOf, withTopologyFile } from '../topology-options';
import { UsageError } from '../usage-error';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../verb';

interface DeployOptions extends ChangeOptions, RollOptionValues, TopologyFileOptions, EngineOptions {
  readonly target: Release['target'];
  readonly yes?: boolean;
}

export interface RollOptionValues {
  readonly canary: number;
  readonly pause: number;
  readonly state?: string;
  readonly supervisor: boolean;
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
      new Option('--pause <time>', 'watch these for so long before the others follow')
        .argParser(parseDuration)
        .default(DEFAULT_PAUSE_MS, '15s'),
    )
    .option('--state <folder>', 'of this host’s supervisor (default: workers/ in .downspout)')
    .option('--no-supervisor', 'start no supervisor on this host')
    .option('--yes', 'do not ask');
}

/** `downspout deploy`. */
export function deployCommand(): Command {
  const command = changingVerb('deploy', 'make what runs what topology.yaml says, without an interruption', {
    example: 'downspout deploy --environment production --canary 1 --pause 60s',
    fails: 'the release did not become healthy; the one before it runs on',
  })
    .addOption(
      new Option('--target <engine>', 'what runs the workers')
        .choices(['local', 'kubernetes', 'compose'])
        .default('local'),
    )
    .option('--image <image>', 'of the workers, on the targets kubernetes and compose', defaultImage())
    .option('--out <folder>', 'where manifests or the compose file are written (default: kubernetes/ or compose/)')
    .option('--namespace <name>', "of kubernetes (default: kubectl's own)")
    .addOption(
      new Option(
        '--without <operators...>',
        'what the cluster of kubernetes lacks: objects for it are left out',
      ).choices(clusterOperators),
    );
  return withRollOptions(withTopologyFile(command))
    .addHelpText(
      'after',
      '\nIt starts a supervisor on this host if none runs anywhere, or if this host had one.' +
        '\nIt brings schema, users, topics and connector up to date, writes the release, and replaces one worker after another, each\n' +
        'new one ready before the old one drains. When one does not become ready, or errors or lateness rise, it goes back. A\n' +
        'deploy that was interrupted is continued by the next one.\n' +
        'Kubernetes (by kubectl) and Docker Compose (by docker) replace the workers themselves and go back themselves;\n' +
        '--canary, --pause, --state and --no-supervisor are of the target local, and refused elsewhere.',
    )
    .action(async (options: DeployOptions, deploy: Command) => {
      refuseOptionsOfOthers(deploy, options.target);
      const context = contextOf(options);
      const { environment } = context.settings;
      const file = topologyFileOf(options, environment);
      const { target } = options;
      const image = target === 'local' ? null : options.image;
      const { settings, specification } = file;
      const wanted = { settings, specification, packageVersion: packageVersion(), image, target };
      if (context.dryRun) {
        await tellPlan(context, wanted, file.files);
        return;
      }
      const seen = await seenBefore(context);
      const live = await readLive(environment, settings, systemClock);
      const plan = planOf(wanted, live);
      context.output.note(planText(plan, live, file.files, context.output));
      if (plan.refusals.length > 0) throw new UserError(`Nothing was changed. ${plan.refusals.join('\n')}`);
      requireSeen(live);
      await confirm('Deploy this?', options.yes === true);
      await prepareLock(context);
      const { state, supervisor } = options;
      await withDeployer(
        context,
        { verb: 'deploy', subject: '', state, supervises: supervisor, mayBeFirst: true },
        async (deploying) => {
          const { deployer, engineDeployer, pool, by } = deploying;
          await requireAsSeen(releasesOf(pool), seen);
          await prepareDatabase(environment);
          const before = await currentRelease(pool);
          const deployed =
            target === 'local'
              ? await deployer.deploy(ownRelease(specification, 'deploy', by), {
                  canaries: options.canary,
                  pauseMs: options.pause,
                })
              : await engineDeployer(engineOf(target, options, file, context, (await readDeployment(pool)).id)).deploy(
                  imageRelease(specification, target, options.image, by),
                );
          tellDeployed(context, deploying, before, deployed);
        },
      );
    });
}

/** Before the first deploy there is no table, or nobody to read it; a database that is away is refused with the plan. */
async function seenBefore(context: VerbContext): Promise<Seen> {
  try {
    return await withPool(context, (pool) => seeReleases(releasesOf(pool)));
  } catch (error) {
    if (error instanceof UserError || error instanceof Unavailable) return { live: null, unfinished: [] };
    throw error;
  }
}

/** Which targets an option is of, where it is not of all. */
const targetsOf: Readonly<Record<string, readonly Release['target'][]>> = {
  canary: ['local'],
  pause: ['local'],
  state: ['local'],
  supervisor: ['local'],
  image: ['kubernetes', 'compose'],
  out: ['kubernetes', 'compose'],
  namespace: ['kubernetes'],
  without: ['kubernetes'],
};

/** @throws UsageError for options that were given and mean nothing on the target, rather than to take no notice of them */
function refuseOptionsOfOthers(command: Command, target: Release['target']): void {
  const wrong = command.options.flatMap((option) => {
    const targets = targetsOf[option.attributeName()];
    if (targets === undefined || targets.includes(target) || !isGiven(command, option)) return [];
    return [`${option.long} is of the target ${targets.join(' or ')}, and the target is ${target}.`];
  });
  if (wrong.length > 0) throw new UsageError(wrong.join('\n'));
}

/** Nobody is asked whether to deploy what could not be compared. @throws UserError when MySQL or Kafka did not answer */
function requireSeen({ release, topics, unknown }: Live): void {
  if (release !== undefined && topics !== undefined) return;
  throw new UserError(
    `Nothing was changed, because what runs could not be seen.\n${unknown.join('\n')}\n\`downspout status\` shows which part does not answer.`,
  );
}
