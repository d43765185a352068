import { type Command, Option } from 'commander';
import { readDrainRates } from '../../../connectors/mysql/operators/drain-rate';
import { currentRelease } from '../../../connectors/mysql/operators/releases';
import { Status } from '../../../connectors/mysql/operators/status';
import { requireSchema } from '../../../connectors/mysql/schema/schema-behind';
import { reasonOf, UserError } from '../../../topology/core/errors';
import { operatorUrl } from '../../../topology/settings/connections';
import type { Environment } from '../../../topology/settings/environment';
import { parseSpecification } from '../../../topology/settings/topology-settings';
import { confirm } from '../../console/confirm';
import { parseCount, parseDuration } from '../../console/durations';
import type { Column } from '../../console/output';
import { formatCount, formatInstant } from '../../console/units';
import { partitionsNow } from '../../release/growths';
import { environmentAgain } from '../../release/same-environment';
import { differing, parseScale, type Scale, scaled, scaledBeside } from '../../release/scaled';
import { releasesOf, requireAsSeen, seeReleases } from '../../release/seen';
import { type Suggestion, suggestions, wordsOf } from '../../release/suggestion';
import { withWorkersPool } from '../database';
import { requiredLive, sameRelease, tellDeployed, withDeployer } from '../deploying';
import { refuseGiven } from '../given-options';
import { tellPlan } from '../rehearsal';
import { deployRelease, type RollOptions, refuseOptionsOfOthers, withRollOptions } from '../roll-options';
import { environmentNamed, type TopologyFileOptions, topologyFileOf, withTopologyFile } from '../topology-options';
import { UsageError } from '../usage-error';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../verb';

interface ScaleOptions extends ChangeOptions, RollOptions, TopologyFileOptions {
  readonly suggest?: boolean;
  readonly hours: number;
  /** Milliseconds. */
  readonly within: number;
}

const ofSuggest = ['--hours', '--within'];
const ofCounts = [
  '--canary',
  '--pause',
  '--state',
  '--no-supervisor',
  '--out',
  '--namespace',
  '--without',
  '--yes',
  '--topology',
  '--environment',
];

/** `downspout scale`. */
export function scaleCommand(): Command {
  const command = changingVerb('scale', 'change how many workers or partitions a component has, as a new release', {
    example: 'downspout scale webhook=6 due.partitions=16',
    fails: 'the release did not become healthy; the one before it runs on',
    needsSchema: true,
  })
    .argument('[counts...]', 'component=workers, or component.partitions=count')
    .option('--suggest', 'change nothing; say what the coming hours need')
    .addOption(new Option('--hours <n>', 'of --suggest: how far to look').argParser(parseCount).default(4))
    .addOption(
      new Option('--within <time>', 'of --suggest: how late the last message of the fullest minute may be')
        .argParser(parseDuration)
        .default(60_000, '60s'),
    );
  return withRollOptions(withTopologyFile(command)).action(
    async (texts: readonly string[], options: ScaleOptions, scale: Command) => {
      if (options.suggest === true) {
        if (texts.length > 0) throw new UsageError('--suggest changes nothing: leave the counts out, or --suggest.');
        refuseGiven(scale, ofCounts, '--suggest changes nothing. Leave it out.');
      } else refuseGiven(scale, ofSuggest, 'it belongs to --suggest.');
      const context = contextOf(options);
      if (options.suggest === true) {
        await suggest(context, options);
        return;
      }
      if (texts.length === 0)
        throw new UsageError('What? Give a component and a count, such as webhook=6, or --suggest.');
      const scales = texts.map(scaleOf);
      const reason = `scale ${texts.join(' ')}`;
      const named = environmentNamed(options, context.settings.environment);
      // What cannot be done is said before anybody is asked.
      const {
        seen,
        live: runs,
        specification: asked,
      } = await withWorkersPool(context, async (pool) => {
        await requireSchema(operatorUrl(context.settings.environment));
        const before = await seeReleases(releasesOf(pool));
        const live = requiredLive(await currentRelease(pool));
        const settings = parseSpecification(live.specification, `release ${live.number}`);
        const there = await partitionsNow(context.settings.environment, settings);
        const release = { ...live, environment: environmentAgain(live, named, live) };
        return { seen: before, live: release, specification: scaledBeside(live.specification, there, scales) };
      });
      refuseOptionsOfOthers(scale, runs.target);
      if (context.dryRun) {
        const from = `release ${runs.number} with ${texts.join(' ')}`;
        await tellPlan(context, { ...runs, settings: parseSpecification(asked, from) }, [from]);
        return;
      }
      await confirm(`${reason}?`, options.yes === true);
      const { state, supervisor: supervises } = options;
      await withDeployer(context, { verb: 'scale', subject: texts.join(' '), state, supervises }, async (deploying) => {
        const { deployer, pool, by } = deploying;
        await requireAsSeen(releasesOf(pool), seen);
        const live = requiredLive(await currentRelease(pool));
        // A release that was taken back may have added partitions, which stay.
        const specification = scaled(await deployer.keepingPartitions(live.specification), scales);
        const wanted = { ...sameRelease(live, runs.environment, reason, by), specification };
        const deployed = await deployRelease(context, deploying, wanted, options);
        const ofFile = { ...options, environment: runs.environment || undefined };
        tellDeployed(context, deploying, live, deployed, remarksOf(ofFile, context.settings.environment, scales));
      });
    },
  );
}

/** @throws UsageError */
function scaleOf(text: string): Scale {
  try {
    return parseScale(text);
  } catch (error) {
    throw new UsageError(reasonOf(error), { cause: error });
  }
}

const columns: readonly Column<Suggestion>[] = [
  { title: 'channel', value: (row) => row.channel },
  { title: 'fullest minute', value: (row) => formatInstant(row.busiest?.minute) },
  { title: 'messages', align: 'right', value: (row) => formatCount(row.busiest?.messages ?? 0) },
  {
    title: 'one worker sends/s',
    align: 'right',
    value: (row) => (row.perWorker === null ? '–' : formatCount(row.perWorker)),
  },
  { title: 'workers', align: 'right', value: (row) => String(row.replicas) },
  { title: 'partitions', align: 'right', value: (row) => String(row.partitions) },
  { title: 'needed', align: 'right', value: (row) => (row.needed === null ? '–' : String(row.needed)) },
];

async function suggest(context: VerbContext, { hours, within }: ScaleOptions): Promise<void> {
  const rows = await withWorkersPool(context, async (pool) => {
    const { specification } = requiredLive(await currentRelease(pool));
    const settings = parseSpecification(specification, 'the release');
    const minutes = await new Status(pool, Object.keys(settings.bolts)).byMinute(hours * 60);
    if (minutes === null)
      throw new UserError('Too many messages wake in this time to count them in a moment. Give fewer --hours.');
    return suggestions(settings, minutes, await readDrainRates(pool), within);
  });
  context.output.data(rows, () =>
    [
      context.output.table(columns, rows),
      '',
      ...rows.map(wordsOf),
      'The rate is that of the best second of one worker among the newest attempts: a worker that was never busy can do more.',
    ].join('\n'),
  );
}

/** The next `deploy` takes the file's word. */
function remarksOf(options: TopologyFileOptions, environment: Environment, scales: readonly Scale[]): string[] {
  try {
    const { settings, files } = topologyFileOf(options, environment);
    const lines = differing(settings, scales);
    if (lines.length === 0) return [];
    return [`${files.at(-1)} differs now: ${lines.join('; ')}. Change it too, or the next deploy takes this back.`];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [`Whether the file says the same is not known: ${reasonOf(error)}`];
  }
}
