import { type Client, createClient } from '../../connectors/mysql/client/client';
import { SecretKey } from '../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../connectors/mysql/secrets/secret-store';
import { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { operatorUrl } from '../../topology/settings/connections';
import { type Environment, readEnvironment, required } from '../../topology/settings/environment';
import { topologyOf } from '../../topology/settings/topology-settings';
import type { Output } from '../console/output';
import { withKafka } from '../inspect/kafka';
import { afterDueByChannel, afterDueFigures, type ChannelAfterDue } from './after-due';
import { Application } from './application';
import type { ReceivedRequest } from './arrivals';
import { type DemoScript, writeDemoScript } from './demo-script';
import { writeDemoTopology } from './demo-topology';
import { type Arrival, type DemoVerdict, judge } from './judge';
import { type LiveFigures, LiveView } from './live-view';
import { providedNames } from './provided-channels';
import { DemoProviders } from './providers';
import { ReceiverProcess } from './receiver-process';
import { finalRows, schedulingOf, writingTo } from './scheduling';
import { Stages } from './stages';
import { DemoWorkers, demoFolder } from './workers';

/** Until the script's first moment. */
const HEAD_START_MS = 500;
/** How long after the last message is due everything must have settled. */
const SETTLE_LIMIT_MS = 30_000;
const TICK_MS = 100;
/** Requests that must not come would come within this time. */
const QUIET_MS = 1_500;
const ENDED_EARLY: DemoResult = { verdict: null, afterDueByChannel: [], kept: { pids: [], metrics: [] } };

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
  /** Empty as well then. */
  readonly afterDueByChannel: readonly ChannelAfterDue[];
  /** Workers that were left running. */
  readonly kept: { readonly pids: readonly number[]; readonly metrics: readonly string[] };
}

/**
 * Plays a day in a minute on a stack that runs, with workers and a receiver as processes of their own. The providers are played in this
 * process.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { clock, output, signal, keep } = options;
  const { DOWNSPOUT_TOPOLOGY: path, DOWNSPOUT_ENVIRONMENT: name } = readEnvironment(options.settings);
  const topology = writeDemoTopology({ path, environment: name }, providedNames, demoFolder(options.stackFolder));
  const settings = { ...options.settings, DOWNSPOUT_TOPOLOGY: topology };
  const environment = readEnvironment(settings, {});
  const url = required(environment, 'DATABASE_URL');
  const client = createClient(url);
  const accounts = Pool.open(url, { clock, size: 1 });
  const store = new SecretStore(accounts, SecretKey.from(environment));
  const pool = Pool.open(operatorUrl(environment), { clock, size: 2 });
  const view = new LiveView(output.json ? output.err : output.out, clock);
  const workers = new DemoWorkers({
    clock,
    // The overrides of an environment are in it already.
    settings: { ...settings, DOWNSPOUT_ENVIRONMENT: '' },
    stackFolder: options.stackFolder,
    pool,
    onEvent: (text) => view.note(text),
  });
  const run = `demo-${clock.now().toString(36)}`;
  const [receiver, providers] = await Promise.all([ReceiverProcess.start(), DemoProviders.start(clock, run)]);
  let stay = false;
  try {
    output.line('Deploying the workers (`downspout deploy --target local`) …');
    await workers.deploy(signal);
    if (signal.aborted) return ENDED_EARLY;
    await providers.connect(store);
    output.line(
      `${workers.pids.length} workers run; the receiver listens on ${receiver.url}, and ${providedNames.join(', ')} are played here.`,
    );
    output.line(`Nothing is lost when one dies: try \`kill -9\` with one of ${workers.pids.join(', ')}.`);
    const played = await play({ ...options, environment, client, view, workers, receiver, providers, run });
    const urls = await workers.urls();
    if (played === null) return ENDED_EARLY;
    stay = keep;
    if (!stay) return { ...played, kept: { pids: [], metrics: [] } };
    const metrics = urls.map((base) => `${base}/metrics`);
    return { ...played, kept: { pids: workers.pids, metrics } };
  } finally {
    try {
      if (!stay) {
        output.line('Stopping the workers …');
        await workers.stop();
      }
    } finally {
      // Nobody takes these credentials any more. Before the first deploy on a stack there is no table that could have them.
      await providers.disconnect(store).catch(() => undefined);
      await Promise.all([receiver.stop(), providers.close(), client.close(), pool.close(), accounts.close()]);
    }
  }
}

interface Stage extends DemoOptions {
  readonly environment: Environment;
  readonly client: Client;
  readonly view: LiveView;
  readonly workers: DemoWorkers;
  readonly receiver: ReceiverProcess;
  readonly providers: DemoProviders;
  /** Begins every key. */
  readonly run: string;
}

async function play(stage: Stage): Promise<Omit<DemoResult, 'kept'> | null> {
  const { clock, seed, client, environment, receiver, providers, run, signal, view, workers } = stage;
  const start = clock.now() + HEAD_START_MS;
  const script = writeDemoScript(seed, run);
  const application = new Application(script, schedulingOf(client), writingTo(receiver.url), clock, start);
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
        view.show(snapshotOf(stage, script, clock.now() - start, application, stages), true);
      } finally {
        over.abort();
        await Promise.allSettled([playing, watching, showing, minding]);
        view.end();
      }
    });
    if (signal.aborted) return null;
    const told = application.told();
    const rows = await finalRows(client, script.messages);
    const requests = [...(await receiver.list()), ...[...providers.received.values()].flat()];
    const { leadMs } = topologyOf(environment).spout;
    const verdict = judge(told, requests.map(arrivalOf), rows, workers.deaths === 0 ? leadMs : null);
    const bursts = script.bursts.map(({ name, at }) => ({ name, at: start + at }));
    return { verdict, afterDueByChannel: afterDueByChannel(verdict.deliveries, bursts) };
  } finally {
    if (signal.aborted) await application.withdraw();
  }
}

async function show(
  stage: Stage,
  script: DemoScript,
  start: number,
  application: Application,
  stages: Stages,
  signal: AbortSignal,
): Promise<void> {
  const { clock, view } = stage;
  while (!signal.aborted) {
    view.show(snapshotOf(stage, script, clock.now() - start, application, stages));
    await clock.sleep(TICK_MS, signal);
  }
}

/** Waits until every message that was not canceled was accepted, and a little longer for what should not come. */
async function settled(
  { clock, receiver, providers, signal }: Stage,
  application: Application,
  lastDue: number,
): Promise<void> {
  while (!signal.aborted && clock.now() < lastDue + SETTLE_LIMIT_MS) {
    const posts = [...providers.received.values()].map((requests) => acceptedOf(requests).length);
    const accepted = posts.reduce((sum, count) => sum + count, await receiver.accepted());
    if (clock.now() > lastDue && accepted >= application.scheduled - application.canceled) break;
    await clock.sleep(TICK_MS, signal);
  }
  await clock.sleep(QUIET_MS, signal);
}

function snapshotOf(
  { providers }: Stage,
  script: DemoScript,
  elapsed: number,
  application: Application,
  stages: Stages,
): LiveFigures {
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
    channels: [
      { channel: 'webhook', delivered: arrivals?.accepted ?? 0, afterDue: arrivals?.afterDue ?? null },
      ...[...providers.received].map(([channel, requests]) => {
        const accepted = acceptedOf(requests);
        return { channel, delivered: accepted.length, afterDue: afterDueFigures(accepted.map(afterDueOf)) };
      }),
    ],
  };
}

function acceptedOf(requests: readonly ReceivedRequest[]): readonly ReceivedRequest[] {
  return requests.filter(({ accepted }) => accepted);
}

function afterDueOf({ at, dueAt }: ReceivedRequest): number {
  return at - (dueAt ?? at);
}

function arrivalOf({ tag, at, accepted }: ReceivedRequest): Arrival {
  const [key = '', revision = ''] = (tag ?? '').split('#');
  return { key, revision: Number(revision), at, accepted };
}
