import type { Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { packageVersion } from '../../../topology/settings/package';
import type { Output, OutputOptions } from '../../console/output';
import { planOf } from '../../release/plan';
import type { Live, Plan } from '../../release/plan-types';
import { readLive } from '../../release/read-live';
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

/** For people: what runs, a table of what would change, and what to know before. */
export function planText(plan: Plan, live: Live, files: readonly string[], output: Output): string {
  const { colors } = output;
  const columns = [
    { title: 'what', value: ({ what }: Plan['steps'][number]) => what },
    { title: 'change', value: ({ change }: Plan['steps'][number]) => change },
    { title: 'cost', value: ({ cost }: Plan['steps'][number]) => cost },
  ];
  const nothing = live.unknown.length === 0 ? 'Nothing would change.' : 'Nothing that could be seen would change.';
  const sections = [
    `${runningText(live)} Compared with it: ${files.join(', ')}.`,
    plan.steps.length === 0 ? nothing : output.table(columns, plan.steps),
    list('Refused', plan.refusals, colors.red),
    list('Not known', live.unknown, colors.yellow),
    list('To know', plan.warnings, colors.yellow),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

function runningText({ release }: Live): string {
  if (release === undefined) return 'Which release runs is not known.';
  if (release === null) return 'Nothing was deployed yet.';
  return `Release ${release.number} runs, of Downspout ${release.image ?? release.packageVersion}.`;
}

function list(title: string, lines: readonly string[], color: (text: string) => string): string {
  return lines.length === 0 ? '' : [color(`${title}:`), ...lines.map((line) => `  ${line}`)].join('\n');
}
