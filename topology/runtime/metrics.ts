import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import {
  type ChannelGaugeName,
  type CounterName,
  channelGauges,
  counters,
  type GaugeName,
  type Gauges,
  gaugeParts,
  gauges,
  type HistogramName,
  histograms,
  metricName,
} from '../gauges';

type CounterLabel<N extends CounterName> = (typeof counters)[N]['labels'][number];
type HistogramLabel<N extends HistogramName> = (typeof histograms)[N]['labels'][number];

/** The figures of one worker, in the form that Prometheus reads. Each worker has its own registry. */
export class Metrics {
  readonly registry = new Registry();
  readonly emitted = this.counter('emitted_total');
  readonly emitFailures = this.counter('emit_failures_total');
  readonly emitSeconds = this.histogram('emit_seconds');
  readonly received = this.counter('received_total');
  readonly badRecords = this.counter('bad_records_total');
  readonly assignments = this.counter('assignments_total');
  readonly commitFailures = this.counter('commit_failures_total');
  readonly unavailable = this.counter('unavailable_total');
  readonly attempts = this.counter('attempts_total');
  readonly settled = this.counter('settled_total');
  readonly lateness = this.histogram('lateness_seconds');
  readonly afterDue = this.histogram('after_due_seconds');
  readonly claims = this.counter('claims_total');
  readonly unwritten = this.counter('unwritten_total');
  readonly recovered = this.counter('recovered_total');
  readonly databaseSeconds = this.histogram('database_seconds');
  private readonly sources = new Map<string, () => Gauges>();
  private readonly gauges: ReadonlyMap<string, Gauge>;

  /** @param ofProcess also memory, CPU and event loop of this process */
  constructor(ofProcess = false) {
    if (ofProcess) collectDefaultMetrics({ register: this.registry });
    const ofComponents = Object.entries(gauges).map(([name, { help }]) => this.gauge(name as GaugeName, help, []));
    const ofChannels = Object.entries(channelGauges).map(([name, { help }]) =>
      this.gauge(name as ChannelGaugeName, help, ['channel']),
    );
    this.gauges = new Map([...ofComponents, ...ofChannels]);
  }

  /** Reads a part's gauges whenever metrics are asked for. */
  watch(component: string, read: () => Gauges): void {
    this.sources.set(component, read);
  }

  async text(): Promise<string> {
    for (const gauge of this.gauges.values()) gauge.reset();
    for (const [component, read] of this.sources) {
      for (const [figure, value] of Object.entries(read())) {
        const { name, ...channel } = gaugeParts(figure);
        this.gauges.get(name)?.set({ component, ...channel }, value);
      }
    }
    return this.registry.metrics();
  }

  private gauge(name: GaugeName | ChannelGaugeName, help: string, labels: readonly string[]): [string, Gauge] {
    const labelNames = ['component', ...labels];
    return [name, new Gauge({ name: metricName(name), help, labelNames, registers: [this.registry] })];
  }

  private counter<N extends CounterName>(name: N): Counter<CounterLabel<N>> {
    const { help, labels } = counters[name];
    return new Counter({ name: metricName(name), help, labelNames: [...labels], registers: [this.registry] });
  }

  private histogram<N extends HistogramName>(name: N): Histogram<HistogramLabel<N>> {
    const { help, labels, buckets } = histograms[name];
    const settings = { help, labelNames: [...labels], buckets: [...buckets], registers: [this.registry] };
    return new Histogram({ name: metricName(name), ...settings });
  }
}
