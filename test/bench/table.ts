import { pageStatement } from '../../connectors/mysql/workers/open-rows';
import { ReceiverProcess } from '../../deploy/demo/receiver-process';
import { systemClock } from '../../topology/core/clock';
import { runCli } from '../support/stack/cli';
import type { BenchTable } from './bench-table';
import type { Crowd, FullTable } from './full-table';
import { burst } from './measure';
import { openStack } from './open-stack';
import type { BenchOptions } from './options';
import { UsageMeter } from './process-usage';
import { TimedVerb } from './timed-verb';
import type { WholeStack } from './whole-stack';
import { rowsOf } from './workload';

/** One thing that was measured beside all the rows. */
export interface TableFigure {
  readonly name: string;
  /** Milliseconds; several when it was measured several times. */
  readonly ms: readonly number[];
  /** What it may take; null where it is only shown. */
  readonly mostMs: number | null;
  /** What else there is to say. */
  readonly note: string;
}

export interface TableReport {
  readonly rows: number;
  readonly figures: readonly TableFigure[];
  /** Of a spout, beside an empty table and beside the full one. */
  readonly spoutPeakBytes: readonly [empty: number, full: number];
  /** Rows inserted in a second while the verbs ran. */
  readonly insertedPerSecond: number;
  /** The median of what verbs need before their first connection and to end: it is left out of their figures. Milliseconds. */
  readonly startMs: number;
}

/** What new workers did beside a table. */
interface Sent {
  readonly firstMs: number;
  /** Of a spout. */
  readonly peakBytes: number;
}

type Say = (text: string) => void;

const STATUS_MS = 1_000;
const LIST_MS = 500;
const PAGE_MS = 50;
/** What a start of workers differs by from one time to another, most of it until they have their partitions. */
const STARTS_DIFFER_MS = 1_000;
const TIMES = 3;
const DEFAULT_ROWS = 1_000_000;
const SHARDS_OF_SPOUT = 128;
const PAGE_ROWS = 40;
/** No component of the topology has this channel: its rows wait. */
const UNSENT_CHANNEL = 'elsewhere';
const MAX_CROWD = 1_000_000;
const HOUR_MS = 3_600_000;
const ROWS_PER_INSERT = 500;
const INSERTERS = 3;
/** Characters of what a verb that failed said. */
const MAX_SAID = 300;

const listForms: readonly (readonly string[])[] = [
  [],
  ['--state', 'scheduled'],
  ['--state', 'delivered'],
  ['--state', 'failed'],
  ['--state', 'uncertain'],
  ['--state', 'canceled'],
  ['--channel', 'webhook'],
  ['--account', 'account-17'],
  ['--account', 'nobody'],
  ['--account', 'account-17', '--state', 'failed'],
  ['--due-from', '2030-01-01T00:00:00Z'],
  ['--due-from', '2000-01-02T00:00:00Z', '--due-until', '2000-01-03T00:00:00Z'],
  ['--channel', 'webhook', '--state', 'uncertain', '--account', 'account-17'],
  ['--error', 'refused'],
  ['--late'],
];

/** Measures what operators and spouts do with a full table. */
export class TableRun {
  private readonly figures: TableFigure[] = [];
  private readonly timed = new TimedVerb();
  /** How long each verb took besides, milliseconds. */
  private readonly starts: number[] = [];

  private constructor(
    private readonly stack: WholeStack,
    private readonly table: BenchTable,
    private readonly full: FullTable,
    private readonly receiver: ReceiverProcess,
    private readonly say: Say,
  ) {}

  static async start(say: Say, onEnd: (end: () => Promise<void>) => void): Promise<TableRun> {
    const receiver = await ReceiverProcess.start();
    onEnd(() => receiver.stop());
    const { stack, table, full } = await openStack(say, onEnd);
    const run = new TableRun(stack, table, full, receiver, say);
    onEnd(async () => run.timed.close());
    return run;
  }

  async measure({ future }: BenchOptions): Promise<TableReport> {
    const rows = future === 0 ? DEFAULT_ROWS : future;
    const empty = await this.sends('an empty table', null);
    this.say(`adding ${rows} future rows and a tenth as many that have ended`);
    const crowd = { account: 'crowd', channel: UNSENT_CHANNEL, count: Math.min(MAX_CROWD, rows) };
    await this.full.whileFilling(async () => {
      await this.full.addFuture(rows);
      await this.full.addEnded(Math.floor(rows / 10));
      this.say(`adding ${crowd.count} rows of one account that woke at one instant`);
      await this.full.addCrowd(crowd);
    });
    const filled = await this.sends('the full table', empty.firstMs + STARTS_DIFFER_MS);
    await this.pages(crowd);
    await this.verbs('', TIMES);
    const insertedPerSecond = await this.whileInserting(() => this.verbs(' while rows are inserted', 1));
    await this.cli('verify', ['verify'], null, 1);
    const { figures } = this;
    const startMs = this.starts.toSorted((a, b) => a - b)[this.starts.length >> 1] as number;
    return { rows, figures, spoutPeakBytes: [empty.peakBytes, filled.peakBytes], insertedPerSecond, startMs };
  }

  /** Starts workers beside what is there. @param mostMs until the first send */
  private async sends(beside: string, mostMs: number | null): Promise<Sent> {
    const { receiver, table } = this;
    await receiver.reset();
    const work = { name: `start-${beside}`, count: 100, accounts: 50, payloadBytes: 250, url: `${receiver.url}/bench` };
    await table.insert(rowsOf(work, 0, work.count, () => systemClock.now()));
    const startedAt = systemClock.now();
    this.stack.startWorkersAsShipped({});
    while ((await receiver.accepted()) < work.count) await systemClock.sleep(20);
    const { firstAt } = await receiver.report();
    const firstMs = (firstAt ?? startedAt) - startedAt;
    this.note(`first send of new workers, beside ${beside}`, [firstMs], mostMs);
    const subject = { table, receiver, watched: () => this.stack.watched() };
    const figures = await burst(subject, { ...work, name: `burst-${beside}`, count: 1_000 });
    this.note(`p99 lateness of a burst of 1,000, beside ${beside}`, [figures.lateness?.p99 ?? Number.NaN], null);
    const spouts = new UsageMeter(this.stack.workers.filter(({ name }) => name.startsWith('due'))).read();
    await this.stack.stopWorkers();
    return { firstMs, peakBytes: Math.max(0, ...spouts.map(({ peakBytes }) => peakBytes)) };
  }

  /** What the spouts ask of the table. */
  private async pages(crowd: Crowd): Promise<void> {
    const now = systemClock.now();
    const shards = Array.from({ length: SHARDS_OF_SPOUT }, (_, shard) => shard * 2);
    const from = (afterWake: number) => shards.map((shard) => ({ shard, afterWake, afterId: 0 }));
    const never = Number.NEGATIVE_INFINITY;
    const soon = pageStatement('webhook', from(now), now + HOUR_MS, PAGE_ROWS);
    const overdue = pageStatement('webhook', from(never), now, PAGE_ROWS);
    const ahead = pageStatement('webhook', from(now), now + 400 * 24 * HOUR_MS, PAGE_ROWS);
    await this.page('a page of the next hour', soon);
    await this.page('a page of what is overdue', overdue);
    // Shown only: no spout reads so far ahead, and most of these rows come from the disk.
    await this.page('a page of rows that are due in a year', ahead, null);
    await this.times('a page amid the rows of one instant', () => this.full.pageAmid(crowd));
  }

  private page(name: string, statement: string, mostMs: number | null = PAGE_MS): Promise<void> {
    return this.times(name, () => this.full.explainAnalyze(statement), mostMs);
  }

  private async times(name: string, measure: () => Promise<number>, mostMs: number | null = PAGE_MS): Promise<void> {
    const ms: number[] = [];
    for (let time = 0; time < TIMES; time++) ms.push(await measure());
    this.note(name, ms, mostMs);
  }

  private async verbs(when: string, times: number): Promise<void> {
    await this.cli(`status${when}`, ['status'], STATUS_MS, times);
    for (const form of listForms) {
      await this.cli(`messages list ${form.join(' ')}${when}`, ['messages', 'list', ...form], LIST_MS, times);
    }
  }

  /** Runs a verb as a user does. What it needs until it opens its first connection is the same whatever the table: it is shown apart. */
  private async cli(name: string, args: readonly string[], mostMs: number | null, times: number): Promise<void> {
    const ms: number[] = [];
    let note = '';
    for (let time = 0; time < times; time++) {
      const begun = systemClock.monotonic();
      const environment = { ...this.stack.settings, ...this.timed.environment };
      const { code, stdout, stderr } = await runCli([...args, '--json'], { environment });
      if (code !== 0) note = `exit code ${code}: ${(stderr || stdout).slice(0, MAX_SAID)}`;
      const asked = this.timed.read();
      this.starts.push(systemClock.monotonic() - begun - asked);
      ms.push(asked);
    }
    this.note(name, ms, mostMs, note);
  }

  /** @returns rows inserted in a second meanwhile */
  private async whileInserting(work: () => Promise<void>): Promise<number> {
    const begun = systemClock.monotonic();
    const over = new AbortController();
    let inserted = 0;
    const url = `${this.receiver.url}/bench`;
    const inserter = async (index: number) => {
      for (let piece = 0; !over.signal.aborted; piece++) {
        const name = `meanwhile-${index}-${piece}`;
        const shape = { name, count: ROWS_PER_INSERT, accounts: 5_000, payloadBytes: 250, url };
        const dueAt = systemClock.now() + 300 * 24 * HOUR_MS;
        await this.table.insert(rowsOf(shape, 0, shape.count, (n) => dueAt + n));
        inserted += shape.count;
      }
    };
    const inserters = Array.from({ length: INSERTERS }, (_, index) => inserter(index));
    try {
      await work();
    } finally {
      over.abort();
      await Promise.all(inserters);
    }
    return (inserted * 1_000) / (systemClock.monotonic() - begun);
  }

  private note(name: string, ms: readonly number[], mostMs: number | null, note = ''): void {
    this.figures.push({ name, ms, mostMs, note });
    this.say(`${name}: ${ms.map((one) => Math.round(one)).join(', ')} ms${note === '' ? '' : ` (${note})`}`);
  }
}
