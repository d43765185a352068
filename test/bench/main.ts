import { ReceiverProcess } from '../../deploy/demo/receiver-process';
import { systemClock } from '../../topology/core/clock';
import { reasonOf } from '../../topology/core/errors';
import { readTopologyFile } from '../../topology/settings/topology-settings';
import { BareSenders } from './bare';
import { CapacityRun } from './capacity';
import { printCapacity } from './capacity-report';
import { type Figures, median } from './figures';
import { type BenchOptions, parseOptions } from './options';
import { letProfile, PROFILES, profiled } from './profile';
import { holds, type Measurement, machine, print as printReport, type Report } from './report';
import { RollRun } from './roll';
import { printRoll } from './roll-report';
import { TableRun } from './table';
import { printTable } from './table-report';
import { Tenants } from './tenants';
import { printTenants } from './tenants-report';
import { WholeRun } from './whole-run';

const SENDERS = 2;

/** What has to be ended, in the order in which it was begun. */
const begun: (() => Promise<void>)[] = [];

async function main(): Promise<void> {
  const options = parseOptions(process.argv);
  const measure =
    { tenants: measureTenants, table: measureTable, roll: measureRoll, capacity: measureCapacity }[
      options.scenario as string
    ] ?? measureDeliveries;
  let print: () => boolean;
  try {
    print = await measure(options);
  } finally {
    await cleanUp();
  }
  if (!print()) process.exitCode = 1;
}

/** Each measures one thing. @returns what prints the figures and says whether they are as they must be */
async function measureDeliveries(options: BenchOptions): Promise<() => boolean> {
  const report = await bench(options);
  return () => {
    printReport(report, options.json);
    return holds(report);
  };
}

async function measureTenants(options: BenchOptions): Promise<() => boolean> {
  const tenants = await Tenants.start(say, (end) => begun.push(end));
  const figures = await tenants.measure(options);
  return () => printTenants(figures, options.json);
}

async function measureTable(options: BenchOptions): Promise<() => boolean> {
  const run = await TableRun.start(say, (end) => begun.push(end));
  const report = await run.measure(options);
  return () => printTable(report, options.json);
}

async function measureRoll(options: BenchOptions): Promise<() => boolean> {
  const run = await RollRun.start(options, say, (end) => begun.push(end));
  const report = await run.measure();
  return () => printRoll(report, options.json);
}

async function measureCapacity(options: BenchOptions): Promise<() => boolean> {
  const run = await CapacityRun.start(options, say, (end) => begun.push(end));
  const report = await run.measure();
  return () => printCapacity(report, options.json);
}

async function bench(options: BenchOptions): Promise<Report> {
  if (options.profile) letProfile(PROFILES);
  const receiver = await ReceiverProcess.start();
  begun.push(() => receiver.stop());
  const url = `${receiver.url}/bench`;
  const measurements: Measurement[] = [];
  let whole: WholeRun | undefined;
  if (options.scenario !== 'bare') {
    whole = await WholeRun.start(options, receiver, url, say, (end) => begun.push(end));
  }
  const bare = await bareHttp(options, receiver, url);
  measurements.push(...bare.values());
  if (whole !== undefined) {
    const rateOf = (payloadBytes: number) => bare.get(payloadBytes)?.rate ?? null;
    measurements.push(...(await whole.measure(rateOf)));
  }
  return { machine: machine(), measurements, restart: whole?.restart ?? null, deaths: whole?.deaths ?? 0 };
}

/** Warms the senders and the receiver up, and measures each payload. */
async function bareHttp(
  options: BenchOptions,
  receiver: ReceiverProcess,
  url: string,
): Promise<Map<number, Measurement>> {
  const { webhook } = readTopologyFile().settings.bolts;
  const inFlight = webhook?.concurrency ?? 256;
  const timeout = webhook?.timeoutMs ?? 10_000;
  const senders = await BareSenders.start(SENDERS);
  const stop = () => senders.stop();
  begun.push(stop);
  const result = new Map<number, Measurement>();
  for (const payloadBytes of options.payload) {
    say(`bare HTTP, ${payloadBytes} B`);
    const work = { name: 'bare', count: options.count, accounts: options.accounts, payloadBytes, url };
    await senders.burst(receiver, work, inFlight, timeout);
    const rounds: Figures[] = [];
    for (let round = 0; round < Math.max(1, options.rounds); round++) {
      rounds.push(await senders.burst(receiver, work, inFlight, timeout));
    }
    const middle = median(rounds);
    const again = options.profile
      ? await profiled(`bare-${payloadBytes}B`, senders.watched(receiver), middle, (profiler) =>
          senders.burst(receiver, work, inFlight, timeout, profiler),
        )
      : undefined;
    result.set(payloadBytes, {
      ...middle,
      name: 'bare HTTP',
      claimAhead: null,
      besides: '',
      ratio: 1,
      rounds: rounds.map(({ rate }) => Math.round(rate)),
      ...(again && { profile: again.profile }),
    });
  }
  await stop();
  return result;
}

function say(text: string): void {
  process.stderr.write(`${new Date(systemClock.now()).toISOString().slice(11, 19)} ${text}\n`);
}

/** Ends what was begun, last first; one failure does not keep the others from ending. */
async function cleanUp(): Promise<void> {
  for (let end = begun.pop(); end !== undefined; end = begun.pop()) {
    try {
      await end();
    } catch (error) {
      say(`while cleaning up: ${reasonOf(error)}`);
      process.exitCode = 1;
    }
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    say(`${signal}: cleaning up`);
    process.exitCode = 130;
    // What is being measured fails as its parts end, and `main` reports that.
    void cleanUp();
  });
}

void main().catch((error: unknown) => {
  say(reasonOf(error));
  process.exitCode ||= 1;
});
