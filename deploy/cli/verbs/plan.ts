import { type Command, Option } from 'commander';
import type { Release } from '../../../connectors/mysql/operators/releases';
import { systemClock } from '../../../topology/core/clock';
import { packageVersion } from '../../../topology/settings/package';
import type { OutputOptions } from '../../console/output';
import { planOf } from '../../release/plan';
import { readLive } from '../../release/read-live';
import { defaultImage } from '../engines';
import { planText } from '../plan-text';
import {
  environmentNamed,
  type TopologyFileOptions,
  topologyFileOf,
  withChangeOfEnvironment,
  withTopologyFile,
} from '../topology-options';
import { UsageError } from '../usage-error';
import { contextOf, dataVerb } from '../verb';

const SOMETHING_CHANGES = 3;

interface PlanVerbOptions extends OutputOptions, TopologyFileOptions {
  readonly target?: Release['target'];
  readonly image?: string;
  readonly detailedExitcode?: boolean;
  readonly changeEnvironment?: boolean;
}

/** `downspout plan`. */
export function planCommand(): Command {
  const command = dataVerb('plan', 'say what `deploy` would change, and what that costs; nothing is changed', {
    example: 'downspout plan --environment production --detailed-exitcode',
    fails: 'a part did not answer, or the change would be refused',
  });
  return withChangeOfEnvironment(withTopologyFile(command))
    .addOption(
      new Option('--target <engine>', 'what is to run the workers (default: what runs them now)').choices([
        'local',
        'kubernetes',
        'compose',
      ]),
    )
    .option('--image <image>', `of the workers, on the targets kubernetes and compose (default: ${defaultImage()})`)
    .option('--detailed-exitcode', 'exit with 3 when something would change')
    .addHelpText('after', '\nWith --detailed-exitcode: 3 when something would change, so that a pipeline can ask.')
    .action(async (options: PlanVerbOptions) => {
      const { output, settings } = contextOf(options);
      const { environment } = settings;
      const file = topologyFileOf(options, environment);
      const live = await readLive(environment, file.settings, systemClock);
      const target = options.target ?? live.release?.target ?? 'local';
      const image = imageFor(target, options.image);
      const { settings: wanted, specification, files } = file;
      const named = environmentNamed(options, environment) ?? '';
      const plan = planOf(
        { settings: wanted, specification, packageVersion: packageVersion(), image, target, environment: named },
        live,
        { changesEnvironment: options.changeEnvironment === true },
      );
      output.data({ files, release: live.release?.number ?? null, ...plan, unknown: live.unknown }, () =>
        planText(plan, live, files, output),
      );
      if (plan.refusals.length > 0 || live.unknown.length > 0) process.exitCode = 1;
      else if (options.detailedExitcode === true && plan.steps.length > 0) process.exitCode = SOMETHING_CHANGES;
    });
}

/** The image that `deploy` would take. @throws UsageError when the target has none */
function imageFor(target: Release['target'], image: string | undefined): string | null {
  if (target !== 'local') return image ?? defaultImage();
  if (image === undefined) return null;
  throw new UsageError('--image is of the targets kubernetes and compose: give --target too.');
}
