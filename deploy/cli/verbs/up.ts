import type { Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { type Environment, readEnvironment, readStackVariables } from '../../../topology/settings/environment';
import { masked, withoutPassword } from '../../console/masked';
import { Output } from '../../console/output';
import { formatDuration } from '../../console/units';
import { provision } from '../../provision';
import { chooseStack } from '../../stack/choice';
import type { Stack } from '../../stack/stack';
import { stackFolder } from '../../stack/stack-folder';
import { recordOfStack } from '../audited';
import { showParts } from '../stack-view';
import { topologyFileOf } from '../topology-options';
import { type ChangeOptions, changingVerb } from '../verb';

interface UpOptions extends ChangeOptions {
  readonly docker?: boolean;
  readonly ha?: boolean;
}

/** `downspout up`. */
export function upCommand(): Command {
  return changingVerb('up', 'start the local stack (MySQL, Kafka, Connect, Prometheus) and wait until it is ready', {
    example: 'downspout up --ha',
  })
    .option('--ha', 'with three MySQL servers, three brokers and two Connect workers, from now on')
    .option('--docker', 'run it in Docker, even where it could run natively')
    .action(async (options: UpOptions) => {
      const output = new Output(options);
      if (options.dryRun === true) {
        await tellStack(output, options);
        return;
      }
      const settings = await bringStackUp(output, options);
      await recordOfStack(readEnvironment(settings, {}), 'up');
      output.data(masked(settings), () => whereEverythingIs(settings, output));
    });
}

type StackChoice = Pick<UpOptions, 'docker' | 'ha'>;

async function chosenStack({ docker = false, ha = false }: StackChoice) {
  const folder = stackFolder();
  const choice = await chooseStack({ folder, variables: readStackVariables(), ha }, systemClock, docker);
  return { folder, ...choice };
}

/** Of `--dry-run`: how the stack would run. */
export async function tellStack(output: Output, options: StackChoice = {}): Promise<void> {
  const { folder, stack, why } = await chosenStack(options);
  const text = `The stack would run ${howOf(stack)} in ${folder}: ${why}. Nothing was started or fetched.`;
  output.data({ folder, kind: stack.kind, why, dryRun: true }, () => text);
}

function howOf({ kind }: Stack): string {
  return kind === 'native' ? 'natively' : `in ${kind}`;
}

/**
 * Starts the local stack and makes a deployment ready on it, showing progress.
 * @returns the connection settings
 */
export async function bringStackUp(
  output: Output,
  options: StackChoice = {},
): Promise<Readonly<Record<string, string>>> {
  const begun = systemClock.monotonic();
  // This stack, whatever else the environment names; only what belongs to Downspout itself is taken from there.
  const own = readEnvironment();
  // What is wrong with the file is said before anything is fetched or started.
  const { settings: topology } = topologyFileOf({}, own);
  const { folder, stack, why } = await chosenStack(options);
  output.line(`The stack runs ${howOf(stack)}: ${why}.`);
  const show = showParts(output);
  const settings = await stack.up(show);
  const { DOWNSPOUT_NAMESPACE } = own;
  const environment: Environment = { ...readEnvironment(settings, {}), DOWNSPOUT_NAMESPACE };
  await provision(environment, topology, systemClock, (part, text) => show({ part, stage: 'ready', text }));
  output.line(`Ready after ${formatDuration(systemClock.monotonic() - begun)}; logs are in ${folder}/logs.`);
  return settings;
}

const places: readonly (readonly [title: string, name: string])[] = [
  ['MySQL', 'DATABASE_URL'],
  ['Kafka', 'KAFKA_BROKERS'],
  ['Kafka Connect', 'CONNECT_URL'],
  ['Kafka UI', 'KAFKA_UI_URL'],
  ['Prometheus', 'PROMETHEUS_URL'],
  ['Grafana', 'GRAFANA_URL'],
];

function whereEverythingIs(settings: Readonly<Record<string, string>>, output: Output): string {
  const rows = places.flatMap(([title, name]) => {
    const value = settings[name];
    return value === undefined ? [] : [{ title, place: withoutPassword(value) }];
  });
  const table = output.table(
    [
      { title: 'part', value: (row: (typeof rows)[number]) => row.title },
      { title: 'where', value: (row) => row.place },
    ],
    rows,
  );
  return `\n${table}\n\n\`downspout env\` prints the settings, passwords included; every verb finds them by itself.`;
}
