import { type Connection, createConnection } from 'mysql2/promise';
import { captureNames } from '../../connectors/debezium/settings';
import { KafkaAdmin } from '../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../connectors/kafka/kafka-client';
import { ReceiverProcess } from '../../deploy/demo/receiver-process';
import { lagOf } from '../../deploy/inspect/kafka';
import { systemClock } from '../../topology/core/clock';
import { type Environment, readEnvironment } from '../../topology/settings/environment';
import { readTopologyFile } from '../../topology/settings/topology-settings';
import { due, topicName } from '../../topology/streams';
import {
  type CostLines,
  type CostPoint,
  type Costs,
  type CpuCost,
  linesOf,
  mapCosts,
  medianCosts,
  PHASES,
  type Phase,
  perMessage,
  perSecond,
  type Spent,
} from './capacity-model';
import { figuresOf } from './figures';
import { binlogBytes, topicBytes } from './log-bytes';
import { burst, type Subject } from './measure';
import { openStack } from './open-stack';
import type { BenchOptions } from './options';
import { componentOf, UsageMeter } from './process-usage';
import type { WholeStack } from './whole-stack';
import { accountPicker, rowsOf, type Workload } from './workload';

/** The highest resident memory of a process of each part so far, bytes. */
interface Peaks {
  readonly payloadBytes: number;
  readonly bytes: Readonly<Record<string, number>>;
}

export interface CapacityReport {
  readonly points: readonly CostPoint[];
  readonly lines: Readonly<Record<Phase, CostLines>>;
  /** What is spent per second while nothing is to do. */
  readonly atRest: Costs;
  readonly peaks: readonly Peaks[];
  readonly early: number;
  readonly duplicates: number;
  readonly lost: number;
  /** Workers that ended by themselves. */
  readonly deaths: number;
}

/** What one crowd cost. */
interface Life {
  readonly phases: Readonly<Record<Phase, Costs>>;
  readonly atRest: Costs;
}

const PART_OF: Readonly<Record<string, CpuCost>> = {
  mysql: 'mysql',
  connect: 'connect',
  kafka: 'kafka',
  due: 'spouts',
  webhook: 'bolts',
};
/** Of one crowd: MySQL writes some five times as much, and the machine keeps it for the whole run. */
const MAX_CROWD_BYTES = 100_000_000;
/** What a machine writes and captures per second at least; tries with half of it each follow. */
const WRITE_ROWS = 2_000;
const WRITE_BYTES = 10_000_000;
const TRIES = 4;
const SPARE_MS = 4_000;
/** Rows enter a spout's memory so long before they are due, a bucket more at most; until then they are in the table only. */
const HORIZON_MS = 66_000;
/** By then they are there, and nothing is to be done for them until the lead. */
const IN_MEMORY_MS = 50_000;
const BEFORE_LEAD_MS = 4_000;
/** How long after its due time a message may take before it counts as lost. */
const PATIENCE_MS = 60_000;
/** Outcomes may wait for two seconds in a crowd, and a table that is asked meanwhile pays for the answer. */
const WRITE_BACK_MS = 4_000;
const POLL_MS = 250;
const WARM_UP_BURSTS = 4;
/** The JVMs are slow in their first minute. */
const WARM_UP_MS = 45_000;

/** How many messages of a payload are measured at once. */
export function crowdOf(count: number, payloadBytes: number): number {
  return Math.max(1, Math.min(count, Math.floor(MAX_CROWD_BYTES / payloadBytes)));
}

/** Measures what a message costs over its whole life by the size of its payload, on workers with default settings. */
export class CapacityRun {
  private readonly environment: Environment;
  private readonly topics: readonly string[];
  private meter = new UsageMeter([]);
  private readonly wrong = { early: 0, duplicates: 0, lost: 0 };

  private constructor(
    private readonly options: BenchOptions,
    private readonly stack: WholeStack,
    private readonly subject: Subject,
    private readonly admin: KafkaAdmin,
    private readonly mysql: Connection,
    private readonly say: (text: string) => void,
  ) {
    this.environment = readEnvironment(stack.settings, {});
    const namespace = this.environment.DOWNSPOUT_NAMESPACE;
    this.topics = [captureNames(namespace).changes, topicName(namespace, due('webhook').name)];
  }

  static async start(
    options: BenchOptions,
    say: (text: string) => void,
    onEnd: (end: () => Promise<void>) => void,
  ): Promise<CapacityRun> {
    const receiver = await ReceiverProcess.start();
    onEnd(() => receiver.stop());
    const { stack, table } = await openStack(say, onEnd);
    const brokers = (stack.settings['KAFKA_BROKERS'] as string).split(',');
    const admin = new KafkaAdmin(kafkaClient({ brokers, clientId: 'bench', log: () => undefined }));
    onEnd(() => admin.close());
    const mysql = await createConnection({ uri: stack.settings['ADMIN_DATABASE_URL'] as string });
    onEnd(() => mysql.end());
    const subject = { table, receiver, watched: () => stack.watched() };
    return new CapacityRun(options, stack, subject, admin, mysql, say);
  }

  async measure(): Promise<CapacityReport> {
    const { count, rounds } = this.options;
    const payloads = this.options.payload.toSorted((a, b) => a - b);
    await this.warmUp();
    const points: CostPoint[] = [];
    const peaks: Peaks[] = [];
    const rests: Costs[] = [];
    for (const payloadBytes of payloads) {
      const messages = crowdOf(count, payloadBytes);
      const lives: Life[] = [];
      for (let round = 1; round <= Math.max(1, rounds); round++) {
        this.say(`${messages} messages of ${payloadBytes} B, round ${round}`);
        lives.push(await this.life(this.work(`capacity${round}`, messages, payloadBytes)));
      }
      for (const phase of PHASES) {
        points.push({ phase, payloadBytes, messages, costs: medianCosts(lives.map(({ phases }) => phases[phase])) });
      }
      rests.push(...lives.map(({ atRest }) => atRest));
      peaks.push({ payloadBytes, bytes: this.peaks() });
    }
    const lines = PHASES.map((phase) => [phase, linesOf(points.filter((point) => point.phase === phase))]);
    return {
      points,
      lines: Object.fromEntries(lines) as CapacityReport['lines'],
      atRest: medianCosts(rests),
      peaks,
      ...this.wrong,
      deaths: this.stack.deaths,
    };
  }

  private async warmUp(): Promise<void> {
    this.say('workers start; warming up');
    this.stack.startWorkersAsShipped({});
    const until = systemClock.monotonic() + WARM_UP_MS;
    const work = this.work('warm-up', this.options.count, Math.min(...this.options.payload));
    for (let n = 0; n < WARM_UP_BURSTS || systemClock.monotonic() < until; n++) {
      const { lost, states } = await burst(this.subject, work);
      if (lost > 0) throw new Error(`warming up: ${lost} messages did not arrive; table: ${JSON.stringify(states)}`);
    }
    this.meter = new UsageMeter(this.subject.watched());
  }

  /** One crowd that is written well ahead, as messages are that somebody schedules, so that the phases lie apart. */
  private async life(work: Workload): Promise<Life> {
    for (let slower = 1; slower < 2 ** TRIES; slower *= 2) {
      const life = await this.tryLife(work, slower);
      if (life !== null) return life;
      this.say('writing them took too long; once more with twice the time');
    }
    throw new Error(`${work.count} rows cannot be written ahead of time: the machine is too busy`);
  }

  /** @returns null when the rows were not written in time */
  private async tryLife(work: Workload, slower: number): Promise<Life | null> {
    const { receiver, table } = this.subject;
    await receiver.reset();
    const above = await table.lastId();
    const changes = await this.changes();
    const writeMs = (work.count / WRITE_ROWS + (work.count * work.payloadBytes) / WRITE_BYTES) * 1_000;
    const begun = await this.reading();
    const dueAt = systemClock.now() + SPARE_MS + Math.ceil(writeMs) * slower + HORIZON_MS;
    await table.insert(rowsOf(work, 0, work.count, () => dueAt));
    await this.consumed(changes + work.count);
    const written = await this.reading();
    const inTime = systemClock.now() < dueAt - HORIZON_MS;
    await systemClock.sleep(dueAt - IN_MEMORY_MS - systemClock.now());
    const read = await this.reading();
    await systemClock.sleep(dueAt - BEFORE_LEAD_MS - systemClock.now());
    const rested = await this.reading();
    await this.settled(work, dueAt, above);
    const sent = await this.reading();
    if (!inTime) return null;
    const atRest = perSecond(read, rested);
    const cost = (from: Spent, to: Spent) => perMessage(from, to, atRest, work.count);
    return { phases: { written: cost(begun, written), read: cost(written, read), sent: cost(rested, sent) }, atRest };
  }

  /** Waits until every outcome is written and CDC has read that: then it has also read a row that is written last. */
  private async settled(work: Workload, dueAt: number, above: number): Promise<void> {
    const { receiver, table } = this.subject;
    while ((await receiver.accepted()) < work.count && systemClock.now() < dueAt + PATIENCE_MS) {
      await systemClock.sleep(POLL_MS);
    }
    await systemClock.sleep(WRITE_BACK_MS);
    const { scheduled = 0, sending = 0 } = await table.ended(above, PATIENCE_MS);
    const { early, duplicates, lost } = figuresOf(work, dueAt, await receiver.report(), []);
    if (scheduled + sending > 0) throw new Error(`${scheduled + sending} messages have no outcome`);
    this.wrong.early += early;
    this.wrong.duplicates += duplicates;
    this.wrong.lost += lost;
    const changes = await this.changes();
    await table.preloadFuture(1, accountPicker(1), JSON.stringify({ url: work.url, body: 'the last row' }));
    await this.consumed(changes + 1);
  }

  /** Changes of plans so far. */
  private async changes(): Promise<number> {
    const logs = await this.admin.logs(this.topics[0] as string);
    return logs.reduce((sum, { high }) => sum + high, 0);
  }

  /** Resolves when there have been so many changes, and every stream is consumed to its end. */
  private async consumed(changes: number): Promise<void> {
    const until = systemClock.monotonic() + PATIENCE_MS;
    const { settings } = readTopologyFile();
    for (;;) {
      if ((await this.changes()) >= changes) {
        const lags = await lagOf(this.environment, settings, this.admin);
        if (lags.every(({ lag }) => lag === null || lag === 0)) return;
      }
      if (systemClock.monotonic() > until)
        throw new Error(`CDC or Kafka is not at rest after ${PATIENCE_MS / 1_000} s`);
      await systemClock.sleep(POLL_MS);
    }
  }

  private async reading(): Promise<Spent> {
    const spent = mapCosts(() => 0) as Record<CpuCost | 'binlog' | 'streams', number>;
    for (const { name, cpuSeconds } of this.meter.read()) {
      const part = PART_OF[componentOf(name)];
      if (part !== undefined) spent[part] += cpuSeconds * 1e6;
    }
    spent.binlog = await binlogBytes(this.mysql);
    spent.streams = topicBytes(this.stack.kafkaLogs, this.topics);
    return { atMs: systemClock.monotonic(), costs: spent };
  }

  private peaks(): Peaks['bytes'] {
    const bytes: Record<string, number> = {};
    for (const { name, peakBytes } of this.meter.read()) {
      const part = PART_OF[componentOf(name)];
      if (part !== undefined) bytes[part] = Math.max(bytes[part] ?? 0, peakBytes);
    }
    return bytes;
  }

  private work(name: string, count: number, payloadBytes: number): Workload {
    const { accounts } = this.options;
    return { name, count, accounts, payloadBytes, url: `${this.subject.receiver.url}/bench` };
  }
}
