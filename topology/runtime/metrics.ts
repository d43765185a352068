import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds. Most of what matters lies between a millisecond and some seconds; a retry's lateness may be hours. */
const LATENESS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600];
const ANSWER = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Figures by name; a name may end in a dot and a channel, e.g. `pending.webhook`. */
type Figures = Readonly<Record<string, number>>;

/** The figures of one worker, in the form that Prometheus reads. Each worker has its own registry. */
export class Metrics {
  readonly registry = new Registry();
  readonly emitted = this.counter('emitted_total', 'Tuples that a spout appended to a stream.', ['stream']);
  readonly emitFailures = this.counter('emit_failures_total', 'Tuples whose append was not confirmed.', ['stream']);
  readonly emitSeconds = this.histogram('emit_seconds', 'From emit to the confirmed append.', ['stream'], ANSWER);
  readonly received = this.counter('received_total', 'Tuples given to a part.', ['component']);
  readonly badRecords = this.counter('bad_records_total', 'Records that were skipped.', ['stream']);
  readonly assignments = this.counter('assignments_total', 'Times that partitions were assigned anew.', ['component']);
  readonly commitFailures = this.counter('commit_failures_total', 'Commits that were not confirmed.', ['component']);
  readonly unavailable = this.counter('unavailable_total', 'Times that the database or Kafka did not answer.', [
    'component',
  ]);
  readonly attempts = this.counter('attempts_total', 'Ended attempts, by their outcome.', ['channel', 'outcome']);
  readonly settled = this.counter('settled_total', 'Rows written back, by the state they went to.', [
    'channel',
    'state',
  ]);
  readonly lateness = this.histogram(
    'lateness_seconds',
    'Accepted minus wake, by the clock of the database.',
    ['channel'],
    LATENESS,
  );
  readonly claims = this.counter('claims_total', 'Rows in claims, by whether they were won.', ['channel', 'result']);
  readonly unwritten = this.counter('unwritten_total', 'Results that could not be written back.', [
    'channel',
    'result',
  ]);
  readonly recovered = this.counter('recovered_total', 'Rows of dead sessions that were scheduled again.', []);
  readonly databaseSeconds = this.histogram('database_seconds', 'Calls of the database.', ['operation'], ANSWER);
  private readonly sources = new Map<string, () => Figures>();
  private readonly gauges = new Map<string, Gauge>();

  /** @param ofProcess also memory, CPU and event loop of this process */
  constructor(ofProcess = false) {
    if (ofProcess) collectDefaultMetrics({ register: this.registry });
  }

  /** Reads a part's figures whenever metrics are asked for. */
  watch(component: string, figures: () => Figures): void {
    this.sources.set(component, figures);
  }

  async text(): Promise<string> {
    for (const gauge of this.gauges.values()) gauge.reset();
    for (const [component, figures] of this.sources) {
      for (const [figure, value] of Object.entries(figures())) {
        const [name, channel] = split(figure);
        this.gauge(name).set(channel === undefined ? { component } : { component, channel }, value);
      }
    }
    return this.registry.metrics();
  }

  private gauge(name: string): Gauge {
    let gauge = this.gauges.get(name);
    if (gauge === undefined) {
      const help = `${name.replaceAll('_', ' ')}, now.`;
      const labelNames = ['component', 'channel'];
      gauge = new Gauge({ name: `downspout_${name}`, help, labelNames, registers: [this.registry] });
      this.gauges.set(name, gauge);
    }
    return gauge;
  }

  private counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name: `downspout_${name}`, help, labelNames, registers: [this.registry] });
  }

  private histogram<L extends string>(name: string, help: string, labelNames: L[], buckets: number[]): Histogram<L> {
    return new Histogram({ name: `downspout_${name}`, help, labelNames, buckets, registers: [this.registry] });
  }
}

function split(figure: string): [name: string, channel: string | undefined] {
  const dot = figure.indexOf('.');
  const name = dot === -1 ? figure : figure.slice(0, dot);
  return [name.replace(/[^a-zA-Z0-9_]/g, '_'), dot === -1 ? undefined : figure.slice(dot + 1)];
}
