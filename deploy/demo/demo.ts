import { type Client, createClient } from '../../connectors/mysql/client/client';
import { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { operatorUrl } from '../../topology/settings/connections';
import { type Environment, readEnvironment, required } from '../../topology/settings/environment';
import type { Output } from '../console/output';
import { withKafka } from '../inspect/kafka';
import { Application } from './application';
import { type DemoScript, writeDemoScript } from './demo-script';
import { type Arrival, type DemoVerdict, judge } from './judge';
import { type LiveFigures, LiveView } from './live-view';
import { ReceiverProcess } from './receiver-process';
import { finalRows, schedulingOf } from './scheduling';
import { Stages } from './stages';
import { DemoWorkers } from './workers';

/** Until the script's first moment. */
const HEAD_START_MS = 500;
/** How long after the last message is due everything must have settled. */
const SETTLE_LIMIT_MS = 30_000;
const TICK_MS = 100;
/** Requests that must not come would come within this time. */
const QUIET_MS = 1_500;

export interface DemoOptions {
  readonly clock: Clock;
  readonly output: Output;
  readonly seed: number;
  /** Connection settings of a stack that runs. */
  readonly settings: Readonly<Record<string, string>>;
  readonly stackFolder: string;
  /** Ends the demo before its time. */
  readonly signal: AbortSignal;
  /** Leaves the workers running. */
  readonly keep: boolean;
}

export interface DemoResult {
  /** Null when it ended before its time. */
  readonly verdict: DemoVerdict | null;
  /** Workers that were left running. */
  readonly kept: { readonly pids: readonly number[]; readonly metrics: readonly string[] };
}

/** Plays a day in a minute on a stack that runs, with workers and a receiver as processes of their own. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { clock, output, signal, settings, keep } = options;
  const environment = readEnvironment(settings, {});
  const url = required(environment, 'DATABASE_URL');
  const client = createClient(url);
  const pool = Pool.open(operatorUrl(environment), { clock, size: 2 });
  const view = new LiveView(output.json ? output.err : output.out, clock);
  const workers = new DemoWorkers({
    clock,
    settings,
    stackFolder: options.stackFolder,
    pool,
    onEvent: (text) => view.note(text),
  });
  const receiver = await ReceiverProcess.start();
  let stay = false;
  try {
    output.line('Deploying the workers (`downspout deploy --target local`) …');
    await workers.deploy(signal);
    if (signal.aborted) return { verdict: null, kept: { pids: [], metrics: [] } };
    output.line(`${workers.pids.length} workers run; the receiver listens on ${receiver.url}.`);
    output.line(`Nothing is lost when one dies: try \`kill -9\` with one of ${workers.pids.join(', ')}.`);
    const verdict = await play({ ...options, environment, client, view, workers, receiver });
    const urls = await workers.urls();
    stay = keep && verdict !== null;
    if (!stay) return { verdict, kept: { pids: [], metrics: [] } };
    const metrics = urls.map((base) => `${base}/metrics`);
    return { verdict, kept: { pids: workers.pids, metrics } };
  } finally {
    if (!stay) {
      output.line('Stopping the workers …');
      await workers.stop();
    }
    await Promise.all([receiver.stop(), client.close(), pool.close()]);
  }
}

interface Stage extends DemoOptions {
  readonly environment: Environment;
  readonly client: Client;
  readonly view: LiveView;
  readonly workers: DemoWorkers;
  readonly receiver: ReceiverProcess;
}

async function play(stage: Stage): Promise<DemoVerdict | null> {
  const { clock, seed, client, environment, receiver, signal, view, workers } = stage;
  const start = clock.now() + HEAD_START_MS;
  const script = writeDemoScript(seed, `demo-${start.toString(36)}`);
  const application = new Application(script, schedulingOf(client), receiver.url, clock, start);
  const over = new AbortController();
  try {
    await withKafka(environment, async (admin) => {
      const stages = new Stages(
        { environment, admin, workerUrls: () => workers.urls(), arrivals: () => receiver.report() },
        clock,
      );
      const watching = stages.watch(over.signal);
      const playing = application.play(AbortSignal.any([signal, over.signal]));
      const showing = show(stage, script, start, application, stages, over.signal);
      const minding = workers.watch(over.signal);
      try {
        await Promise.race([playing, watching, showing, minding]);
        await playing;
        await settled(stage, application, start + script.endsAt);
        view.show(snapshotOf(script, clock.now() - start, application, stages), true);
      } finally {
        over.abort();
        await Promise.allSettled([playing, watching, showing, minding]);
        view.end();
      }
    });
    if (signal.aborted) return null;
    const told = application.told();
    const rows = await finalRows(client, script.messages);
    return judge(told, (await receiver.list()).map(arrivalOf), rows);
  } finally {
    if (signal.aborted) await application.withdraw();
  }
}

async function show(
  { clock, view }: Stage,
  script: DemoScript,
  start: number,
  application: Application,
  stages: Stages,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    view.show(snapshotOf(script, clock.now() - start, application, stages));
    await clock.sleep(TICK_MS, signal);
  }
}

/** Waits until every message that was not canceled was accepted, and a little longer for what should not come. */
async function settled({ clock, receiver, signal }: Stage, application: Application, lastDue: number): Promise<void> {
  while (!signal.aborted && clock.now() < lastDue + SETTLE_LIMIT_MS) {
    const { accepted } = await receiver.report();
    if (clock.now() > lastDue && accepted >= application.scheduled - application.canceled) break;
    await clock.sleep(TICK_MS, signal);
  }
  await clock.sleep(QUIET_MS, signal);
}

function snapshotOf(script: DemoScript, elapsed: number, application: Application, stages: Stages): LiveFigures {
  const { arrivals, ...figures } = stages.figures;
  const burst = script.bursts.find(({ at }) => at > elapsed);
  const { scheduled, edited, canceled, tooLate } = application;
  return {
    elapsed: Math.min(elapsed, script.endsAt),
    endsAt: script.endsAt,
    nextBurst: burst === undefined ? null : { name: burst.name, count: burst.count, inMs: burst.at - elapsed },
    scheduled,
    edited,
    canceled,
    tooLate,
    ...figures,
    delivered: arrivals?.accepted ?? 0,
    afterDue: arrivals?.afterDue ?? null,
  };
}

function arrivalOf({ tag, at, accepted }: Awaited<ReturnType<ReceiverProcess['list']>>[number]): Arrival {
  const [key = '', revision = ''] = (tag ?? '').split('#');
  return { key, revision: Number(revision), at, accepted };
}
