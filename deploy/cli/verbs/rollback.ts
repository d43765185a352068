import type { Command } from 'commander';
import {
  currentRelease,
  listReleases,
  type Release,
  readRelease,
  unfinishedReleases,
} from '../../../connectors/mysql/operators/releases';
import { requireSchema } from '../../../connectors/mysql/schema/schema-behind';
import type { Pool } from '../../../connectors/mysql/sql/pool';
import { UserError } from '../../../topology/core/errors';
import { operatorUrl } from '../../../topology/settings/connections';
import { parseSpecification } from '../../../topology/settings/topology-settings';
import { confirm } from '../../console/confirm';
import { parseCount } from '../../console/durations';
import { environmentAgain, environmentText, isOtherEnvironment } from '../../release/same-environment';
import { requireSameTarget } from '../../release/same-target';
import { releasesOf, requireAsSeen, seeReleases } from '../../release/seen';
import { requireOneWayBack } from '../../release/ways-on';
import { withWorkersPool } from '../database';
import { requiredLive, sameRelease, tellDeployed, withDeployer } from '../deploying';
import { tellPlan } from '../rehearsal';
import { deployRelease, type RollOptions, refuseOptionsOfOthers, withRollOptions } from '../roll-options';
import { environmentNamed, withEnvironment } from '../topology-options';
import { type ChangeOptions, changingVerb, contextOf } from '../verb';

interface RollbackOptions extends ChangeOptions, RollOptions {}

/** How far back the release before the one that runs is looked for. */
const LOOKED_AT = 1_000;

/** `downspout rollback`. */
export function rollbackCommand(): Command {
  const command = changingVerb('rollback', 'deploy an earlier release again, as a new one', {
    example: 'downspout rollback 3 --yes',
    fails: 'the release did not become healthy; the one before it runs on',
    needsSchema: true,
  }).argument(
    '[release]',
    'its number (default: the one before what runs; what runs beside a deploy or scale that was interrupted)',
    parseCount,
  );
  const environment = 'of a release from before this was kept; any other one has the environment that it had';
  return withRollOptions(withEnvironment(command, environment)).action(
    async (number: number | undefined, options: RollbackOptions, rollback: Command) => {
      const context = contextOf(options);
      const named = environmentNamed(options, context.settings.environment);
      const { seen, release, change } = await withWorkersPool(context, async (pool) => {
        await requireSchema(operatorUrl(context.settings.environment));
        const ran = await seeReleases(releasesOf(pool));
        const earlier = number === undefined ? await before(pool) : await readRelease(pool, number);
        const live = await currentRelease(pool);
        requireSameTarget(earlier.target, [...(live === null ? [] : [live]), ...(await unfinishedReleases(pool))]);
        const own = environmentAgain(earlier, named, live);
        const isOther = live !== null && isOtherEnvironment(own, live);
        const said = isOther ? `, of ${environmentText(own)} where ${environmentText(live.environment)} runs` : '';
        return { seen: ran, release: { ...earlier, environment: own }, change: said };
      });
      refuseOptionsOfOthers(rollback, release.target);
      const from = `release ${release.number}`;
      if (context.dryRun) {
        const wanted = { ...release, settings: parseSpecification(release.specification, from) };
        await tellPlan(context, wanted, [from], { keepsPartitions: true, changesEnvironment: true });
        return;
      }
      const reason = `rollback to ${release.number}`;
      await confirm(
        `Deploy release ${release.number} (${release.reason} by ${release.who}${change}) again?`,
        options.yes === true,
      );
      const { state, supervisor: supervises } = options;
      await withDeployer(
        context,
        { verb: 'rollback', subject: `to ${release.number}`, state, supervises },
        async (deploying) => {
          const { deployer, pool, by } = deploying;
          await requireAsSeen(releasesOf(pool), seen);
          const live = await currentRelease(pool);
          const specification = await deployer.keepingPartitions(release.specification);
          const again = { ...sameRelease(release, release.environment, reason, by), specification };
          tellDeployed(context, deploying, live, await deployRelease(context, deploying, again, options));
        },
      );
    },
  );
}

/** What a person means by going back. @throws UserError when there is nothing to go back to, or it may be either of two */
async function before(pool: Pool): Promise<Release> {
  const live = requiredLive(await currentRelease(pool));
  const unfinished = await unfinishedReleases(pool);
  requireOneWayBack(live, unfinished);
  if (unfinished.length > 0) return live;
  const earlier = (await listReleases(pool, LOOKED_AT)).find(
    ({ number, outcome }) => number < live.number && outcome === 'superseded',
  );
  if (earlier !== undefined) return earlier;
  throw new UserError(`Release ${live.number} is the first that was live. \`downspout history\` lists all.`);
}
