import type { Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { packageVersion } from '../../../topology/settings/package';
import type { OutputOptions } from '../../console/output';
import { planOf } from '../../release/plan';
import { readLive } from '../../release/read-live';
import { planText } from '../plan-text';
import { type TopologyFileOptions, topologyFileOf, withTopologyFile } from '../topology-options';
import { contextOf, dataVerb } from '../verb';

const SOMETHING_CHANGES = 3;

interface PlanVerbOptions extends OutputOptions, TopologyFileOptions {
  readonly detailedExitcode?: boolean;
}

/** `downspout plan`. */
export function planCommand(): Command {
  const command = dataVerb('plan', 'say what `deploy` would change, and what that costs; nothing is changed', {
    example: 'downspout plan --environment production --detailed-exitcode',
    fails: 'a part did not answer, or the change would be refused',
  });
  return withTopologyFile(command)
    .option('--detailed-exitcode', 'exit with 3 when something would change')
    .addHelpText('after', '\nWith --detailed-exitcode: 3 when something would change, so that a pipeline can ask.')
    .action(async (options: PlanVerbOptions) => {
      const { output, settings } = contextOf(options);
      const { environment } = settings;
      const file = topologyFileOf(options, environment);
      const live = await readLive(environment, file.settings, systemClock);
      const image = live.release?.image ?? null;
      const plan = planOf({ settings: file.settings, packageVersion: packageVersion(), image }, live);
      output.data({ files: file.files, release: live.release?.number ?? null, ...plan, unknown: live.unknown }, () =>
        planText(plan, live, file.files, output),
      );
      if (plan.refusals.length > 0 || live.unknown.length > 0) process.exitCode = 1;
      else if (options.detailedExitcode === true && plan.steps.length > 0) process.exitCode = SOMETHING_CHANGES;
    });
}
