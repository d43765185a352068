import { type Command, Option } from 'commander';
import { currentRelease, type Release } from '../../../connectors/mysql/operators/releases';
import { requireSchema } from '../../../connectors/mysql/schema/schema-behind';
import { systemClock } from '../../../topology/core/clock';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { readerUrl } from '../../../topology/settings/connections';
import { packageVersion } from '../../../topology/settings/package';
import { confirm } from '../../console/confirm';
import { planOf } from '../../release/plan';
import type { Live } from '../../release/plan-types';
import { prepareDatabase } from '../../release/prepare-database';
import { readLive } from '../../release/read-live';
import { releasesOf, requireAsSeen, type Seen, seeReleases } from '../../release/seen';
import { withPool } from '../database';
import { imageRelease, ownRelease, prepareLock, tellDeployed, withDeployer } from '../deploying';
import { defaultImage } from '../engines';
import { planText } from '../plan-text';
import { tellPlan } from '../rehearsal';
import { deployRelease, type RollOptions, refuseOptionsOfOthers, withRollOptions } from '../roll-options';
import {
  environmentNamed,
  type TopologyFileOptions,
  topologyFileOf,
  withChangeOfEnvironment,
  withTopologyFile,
} from '../topology-options';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../verb';

interface DeployOptions extends ChangeOptions, RollOptions, TopologyFileOptions {
  readonly target: Release['target'];
  readonly image: string;
  readonly changeEnvironment?: boolean;
}

/** `downspout deploy`. */
export function deployCommand(): Command {
  const command = changingVerb('deploy', 'make what runs what topology.yaml says, without an interruption', {
    example: 'downspout deploy --environment production --canary 1 --pause 60s',
    fails: 'the release did not become healthy; the one before it runs on',
    needsSchema: true,
  })
    .addOption(
      new Option('--target <engine>', 'what runs the workers')
        .choices(['local', 'kubernetes', 'compose'])
        .default('local'),
    )
    .option('--image <image>', 'of the workers, on the targets kubernetes and compose', defaultImage());
  return withRollOptions(withChangeOfEnvironment(withTopologyFile(command)))
    .addHelpText(
      'after',
      '\nIt starts a supervisor on this host if none runs anywhere, or if this host had one.' +
        '\nIt brings schema, users, topics and connector up to date, writes the release, and replaces one worker after another, each\n' +
        'new one ready before the old one drains. When one does not become ready, or errors or lateness rise, it goes back. A\n' +
        'deploy that was interrupted is continued by the next one.\n' +
        'Kubernetes (by kubectl) and Docker Compose (by docker) replace the workers themselves, one stage of components after\n' +
        'another, and are watched in the same way; --state and --no-supervisor are of the target local, and refused elsewhere.',
    )
    .action(async (options: DeployOptions, deploy: Command) => {
      refuseOptionsOfOthers(deploy, options.target);
      const context = contextOf(options);
      const { environment } = context.settings;
      const file = topologyFileOf(options, environment);
      const { target } = options;
      const image = target === 'local' ? null : options.image;
      const { settings, specification } = file;
      const named = environmentNamed(options, environment) ?? '';
      const wanted = { settings, specification, packageVersion: packageVersion(), image, target, environment: named };
      const { changeEnvironment: changesEnvironment = false } = options;
      if (context.dryRun) {
        await tellPlan(context, wanted, file.files, { changesEnvironment });
        return;
      }
      // Somebody else brings the schema then; otherwise this does, under the right to deploy.
      if (environment.ADMIN_DATABASE_URL === undefined) await requireSchema(readerUrl(environment));
      const seen = await seenBefore(context);
      const live = await readLive(environment, settings, systemClock);
      const plan = planOf(wanted, live, { changesEnvironment });
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
          const { pool, by } = deploying;
          await requireAsSeen(releasesOf(pool), seen);
          await prepareDatabase(environment);
          const before = await currentRelease(pool);
          const release =
            target === 'local'
              ? ownRelease(specification, named, 'deploy', by)
              : imageRelease(specification, target, options.image, named, by);
          const deployed = await deployRelease(context, deploying, release, options, file);
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

/** Nobody is asked whether to deploy what could not be compared. @throws UserError when MySQL or Kafka did not answer */
function requireSeen({ release, topics, unknown }: Live): void {
  if (release !== undefined && topics !== undefined) return;
  throw new UserError(
    `Nothing was changed, because what runs could not be seen.\n${unknown.join('\n')}\n\`downspout status\` shows which part does not answer.`,
  );
}
