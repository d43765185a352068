import type { Output } from '../console/output';
import type { Live, Plan } from '../release/plan-types';

/** For people: what runs, a table of what would change, and what to know before. */
export function planText(plan: Plan, live: Live, files: readonly string[], output: Output): string {
  const { colors } = output;
  const columns = [
    { title: 'what', value: ({ what }: Plan['steps'][number]) => what },
    { title: 'change', value: ({ change }: Plan['steps'][number]) => change },
    { title: 'cost', value: ({ cost }: Plan['steps'][number]) => cost },
  ];
  // Of workers of other engines it is not seen which settings they have.
  const isSeen = live.unknown.length === 0 && (live.release?.target ?? 'local') === 'local';
  const nothing = isSeen ? 'Nothing would change.' : 'Nothing that could be seen would change.';
  const sections = [
    `${runningText(live)} Compared with it: ${files.join(', ')}.`,
    plan.steps.length === 0 ? nothing : output.table(columns, plan.steps),
    list('Refused', plan.refusals, colors.red),
    list('Not known', live.unknown, colors.yellow),
    list('To know', plan.warnings, colors.yellow),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

function runningText({ release, wasDeployed = false, unfinished = [] }: Live): string {
  if (release === undefined) return 'Which release runs is not known.';
  const begun = unfinished.at(-1);
  if (release === null && begun !== undefined) return `No release is live, and release ${begun.number} is not done.`;
  if (release === null) return wasDeployed ? 'No release is live.' : 'Nothing was deployed yet.';
  return `Release ${release.number} runs, of Downspout ${release.image ?? release.packageVersion}.`;
}

function list(title: string, lines: readonly string[], color: (text: string) => string): string {
  return lines.length === 0 ? '' : [color(`${title}:`), ...lines.map((line) => `  ${line}`)].join('\n');
}
