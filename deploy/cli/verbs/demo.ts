import { constants } from 'node:os';
import type { Command } from 'commander';
import { Status } from '../../../connectors/mysql/operators/status';
import { Pool } from '../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../topology/core/clock';
import { listenForEnd } from '../../../topology/runtime/signals';
import { readStackVariables } from '../../../topology/settings/environment';
import { parseCount } from '../../console/durations';
import { withoutPassword } from '../../console/masked';
import type { Output } from '../../console/output';
import { counted } from '../../console/units';
import { afterDueFigures } from '../../demo/after-due';
import { type DemoResult, runDemo } from '../../demo/demo';
import { summaryText } from '../../demo/summary';
import { demoWorkersOf, stopDemoWorkers } from '../../demo/workers';
import { startedStack } from '../../stack/choice';
import { stackFolder } from '../../stack/stack-folder';
import { readSettings } from '../settings';
import { showParts } from '../stack-view';
import { type ChangeOptions, changingVerb, contextOf } from '../verb';
import { bringStackUp, tellStack } from './up';

interface DemoVerbOptions extends ChangeOptions {
  readonly keep?: boolean;
  readonly stop?: boolean;
  readonly seed: number;
}

/** `downspout demo`. */
export function demoCommand(): Command {
  return changingVerb('demo', 'watch a day of messages leave on time in a minute, on the local stack', {
    example: 'downspout demo --keep',
    fails: 'a message was not accepted once, on time, as it was planned last',
  })
    .option('--keep', 'leave the stack and the workers running')
    .option('--stop', 'stop the workers that an earlier --keep left running, and do nothing else')
    .option('--seed <n>', 'another seed is another day', parseCount, 1)
    .action(async (options: DemoVerbOptions) => {
      const { output, settings, dryRun } = contextOf(options);
      if (dryRun) {
        const runs = demoWorkersOf(stackFolder());
        if (runs > 0) output.note(`${counted(runs, 'worker')} of an earlier demo would be stopped.`);
        if (options.stop === true) output.data({ workers: runs, dryRun }, () => 'Nothing else would be done.');
        else await tellStack(output);
        return;
      }
      const stopped = await stopDemoWorkers(stackFolder(), settings.fallback, systemClock);
      if (stopped > 0) output.line(`Stopped ${counted(stopped, 'worker')} of an earlier demo.`);
      else if (options.stop === true) output.line('No workers of an earlier demo run.');
      if (options.stop !== true) await demo(options, output);
    });
}

async function demo(options: DemoVerbOptions, output: Output): Promise<void> {
  const interrupt = new AbortController();
  let ended: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    ended = signal;
    output.note('\nEnding the demo; a second signal ends it at once and leaves things running.');
    interrupt.abort();
  };
  const stopListening = listenForEnd('once', onSignal);
  const ranBefore = await stackRuns();
  let result: DemoResult | undefined;
  try {
    const settings = await bringStackUp(output);
    if (!interrupt.signal.aborted) {
      result = await runDemo({
        clock: systemClock,
        output,
        seed: options.seed,
        settings,
        stackFolder: stackFolder(),
        signal: interrupt.signal,
        keep: options.keep === true,
      });
    }
  } finally {
    const stays = ranBefore || (options.keep === true && result?.verdict !== undefined);
    if (!stays)
      await startedStack({ folder: stackFolder(), variables: readStackVariables() }, systemClock)?.down(
        false,
        showParts(output),
      );
    stopListening();
  }
  const verdict = result?.verdict ?? null;
  if (verdict === null || !verdict.holds) process.exitCode = ended === undefined ? 1 : 128 + constants.signals[ended];
  if (verdict === null || result === undefined) return;
  const { deliveries, ...counts } = verdict;
  const { afterDueByChannel } = result;
  // Milliseconds.
  const afterDue = afterDueFigures(deliveries.map(({ dueAt, at }) => at - dueAt));
  output.data({ ...counts, afterDue, afterDueByChannel, metrics: result.kept.metrics }, () =>
    ['', summaryText(verdict, afterDueByChannel, output), '', ...whereNext(result, ranBefore)].join('\n'),
  );
}

/** Whether there is a stack already that somebody else may be using. */
async function stackRuns(): Promise<boolean> {
  const url = readSettings().fallback['DATABASE_URL'];
  if (url === undefined) return false;
  const pool = Pool.open(url, { clock: systemClock, size: 1 });
  try {
    await new Status(pool).now();
    return true;
  } catch {
    return false;
  } finally {
    await pool.close();
  }
}

function whereNext({ kept }: DemoResult, stackStays: boolean): string[] {
  const { KAFKA_UI_URL, PROMETHEUS_URL, GRAFANA_URL } = readSettings().environment;
  const places = [
    ['Kafka UI', KAFKA_UI_URL],
    ['Grafana', GRAFANA_URL],
    ['Prometheus', PROMETHEUS_URL],
  ].flatMap(([name, url]) => (url === undefined ? [] : [`  ${name}: ${withoutPassword(url)}`]));
  if (kept.pids.length > 0) {
    return [
      'The stack and the workers keep running. Where to look next:',
      '  downspout status, downspout lag, downspout messages list',
      ...places,
      ...kept.metrics.map((url) => `  metrics: ${url}`),
      '`downspout demo --stop` stops the workers, `downspout down` everything.',
    ];
  }
  return stackStays
    ? [
        'The stack runs as before. Where to look next:',
        '  downspout status, downspout lag, downspout messages list',
        ...places,
      ]
    : [
        'All of it is stopped again. `downspout demo --keep` leaves it running, for a look at',
        "  downspout status, downspout lag, Kafka UI (with Docker), Prometheus and the workers' metrics.",
      ];
}
