/**
 * Every figure that a worker shows, once: by its name without `downspout_`, with what it counts. A part reports only gauges
 * that are listed here, and whoever reads one names it by its type, so a renamed figure does not compile anywhere else.
 */

interface Figure {
  readonly help: string;
  /** What one of it is. A name says its unit itself where the unit is one of time or size. */
  readonly unit: string;
}

interface LabeledFigure extends Figure {
  readonly labels: readonly string[];
}

/** Seconds. Most of what matters lies between a millisecond and some seconds; a retry's lateness may be hours. */
const LATENESS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600];
const ANSWER_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export const counters = {
  emitted_total: { help: 'Tuples that a spout appended to a stream.', unit: 'tuples', labels: ['stream'] },
  emit_failures_total: { help: 'Tuples whose append was not confirmed.', unit: 'tuples', labels: ['stream'] },
  received_total: { help: 'Tuples given to a spout or a bolt.', unit: 'tuples', labels: ['component'] },
  bad_records_total: {
    help: 'Records that were skipped because they are not understood.',
    unit: 'records',
    labels: ['stream'],
  },
  assignments_total: { help: 'Times that partitions were assigned again.', unit: 'assignments', labels: ['component'] },
  commit_failures_total: { help: 'Commits that Kafka did not confirm.', unit: 'commits', labels: ['component'] },
  unavailable_total: {
    help: 'Times that the database, Kafka or Connect did not answer.',
    unit: 'calls',
    labels: ['component'],
  },
  claims_total: { help: 'Rows in claims, by whether they were won.', unit: 'rows', labels: ['channel', 'result'] },
  attempts_total: { help: 'Ended attempts, by their outcome.', unit: 'attempts', labels: ['channel', 'outcome'] },
  settled_total: {
    help: 'Rows written back, by the state they went to; `skipped` is `failed` because of lateness.',
    unit: 'rows',
    labels: ['channel', 'state'],
  },
  unwritten_total: { help: 'Results that could not be written back.', unit: 'results', labels: ['channel', 'result'] },
  recovered_total: { help: 'Rows of dead sessions that were scheduled again.', unit: 'rows', labels: [] },
} as const satisfies Record<string, LabeledFigure>;

export const histograms = {
  emit_seconds: {
    help: 'From emitting tuples to the confirmed append.',
    unit: 'seconds',
    labels: ['stream'],
    buckets: ANSWER_BUCKETS,
  },
  lateness_seconds: {
    help: 'Accepted minus wake, by the clock of the database.',
    unit: 'seconds',
    labels: ['channel'],
    buckets: LATENESS_BUCKETS,
  },
  after_due_seconds: {
    help: 'Accepted minus due, by the clock of the database: what retries took is a part of it.',
    unit: 'seconds',
    labels: ['channel'],
    buckets: LATENESS_BUCKETS,
  },
  database_seconds: {
    help: 'Answers of the database, by the call.',
    unit: 'seconds',
    labels: ['operation'],
    buckets: ANSWER_BUCKETS,
  },
} as const satisfies Record<string, LabeledFigure & { readonly buckets: readonly number[] }>;

/** Labelled with the component that reports them. */
export const gauges = {
  partitions: { help: 'Partitions that the component owns in this worker.', unit: 'partitions' },
  lease_holds: { help: '1 while the session may send.', unit: '0 or 1' },
  feed_lag: { help: 'Changes of plans in Kafka that the spout has not read.', unit: 'records' },
  cdc_silent_ms: { help: 'Time since CDC last wrote a heartbeat; only from the spout that watches CDC.', unit: 'ms' },
  cdc_failed: { help: 'Tasks of the connector that were found failed at the last check.', unit: 'tasks' },
  cdc_obstacles: {
    help: 'What somebody must change before CDC works: a connector that is paused, a setting.',
    unit: 'obstacles',
  },
  held: { help: 'Messages prefetched by the bolt, waiting for their instant.', unit: 'messages' },
  held_bytes: { help: 'Their payloads.', unit: 'bytes' },
  claimed_waiting: { help: 'Messages claimed and not started.', unit: 'messages' },
  in_flight: { help: 'Requests that wait for their answer.', unit: 'requests' },
  unwritten: { help: 'Outcomes that are not yet in the table.', unit: 'outcomes' },
  journaled: {
    help: 'Outcomes of a crowd that are in the ledger, and not yet in the rows of their messages.',
    unit: 'outcomes',
  },
  claim_ahead_ms: { help: 'How far before its instant a burst is claimed now.', unit: 'ms' },
  slow_lanes: { help: 'Accounts whose origin answers them slowly or not at all.', unit: 'lanes' },
  making_ready: {
    help: 'Messages that are made ready before their instant, or wait for it: a container, the upload of a video.',
    unit: 'messages',
  },
  uncommitted: { help: 'Tuples that wait for their ack or for that of an earlier one.', unit: 'tuples' },
  workers_wanted: { help: 'Replicas of all components; from the spout that watches the deployment.', unit: 'workers' },
  workers_alive: { help: 'Workers whose lease holds; from the same spout.', unit: 'workers' },
  workers_lost: { help: 'Workers that ended without leaving, within the last ten minutes.', unit: 'workers' },
  crash_looping: { help: 'Placements whose worker dies again and again.', unit: 'placements' },
  database_members: { help: "Servers of the database's replication group that are online.", unit: 'servers' },
  brokers: { help: 'Brokers that the Kafka cluster has.', unit: 'brokers' },
  connect_workers: { help: 'Workers of the Kafka Connect cluster that runs the connector.', unit: 'workers' },
  full: { help: '1 while the bolt takes no tuples because it holds as much as it may.', unit: '0 or 1' },
} as const satisfies Record<string, Figure>;

/** Reported by the spout for each channel, so labelled with the channel too. */
export const channelGauges = {
  pending: { help: 'Tuples emitted and not yet acked.', unit: 'tuples' },
  emitting: { help: 'Appends that Kafka has not answered yet.', unit: 'appends' },
  entries: { help: 'Messages of the near future in memory.', unit: 'messages' },
  buckets: { help: 'Slices of time in memory.', unit: 'buckets' },
  blocked_accounts: {
    help: 'Accounts of which nothing is emitted now: paused, at a limit, with as many pending tuples as they may have, or of a partition that does not confirm.',
    unit: 'accounts',
  },
  overflowed_accounts: { help: 'Accounts with more messages in the near future than memory keeps.', unit: 'accounts' },
  reconcile_age_ms: { help: 'Time since reconcile last went over all shards.', unit: 'ms' },
  overdue_ms: { help: 'How long ago the oldest message woke that waits and is not paused.', unit: 'ms' },
  uncertain: {
    help: 'Messages about which a person has to decide; more than 10,000 are not counted.',
    unit: 'messages',
  },
  suspended: {
    help: 'Messages that wait because their account is unusable; more than 10,000 are not counted.',
    unit: 'messages',
  },
  unusable_accounts: {
    help: 'Accounts whose provider does not take their credentials, or has refused to refresh them; more than 10,000 are not counted.',
    unit: 'accounts',
  },
  late_waiting: {
    help: 'Messages that were not sent in time and wait for a person; more than 10,000 are not counted.',
    unit: 'messages',
  },
  limited_accounts: {
    help: 'Accounts that are at a limit of their provider and wait until they may go on; more than 10,000 are not counted.',
    unit: 'accounts',
  },
  refreshes_failing: {
    help: 'Usable accounts whose credentials could not be refreshed the last time; more than 10,000 are not counted.',
    unit: 'accounts',
  },
  credentials_end_ms: {
    help: 'Time until the first credentials end that are not refreshed by themselves, or whose refresh fails; below 0 when they have.',
    unit: 'ms',
  },
  ownerless: { help: 'Tuples that wait in partitions which belong to no worker.', unit: 'tuples' },
  frontier_ms: { help: 'How far ahead of now the shard that is read least far has been read.', unit: 'ms' },
} as const satisfies Record<string, Figure>;

export type CounterName = keyof typeof counters;
export type HistogramName = keyof typeof histograms;
export type GaugeName = keyof typeof gauges;
export type ChannelGaugeName = keyof typeof channelGauges;

/** A gauge of one channel: `pending.webhook`. */
type ChannelFigure = `${ChannelGaugeName}.${string}`;

/** What a part says of itself now: only figures that are listed here. */
export type Gauges = Readonly<{ [name in GaugeName]?: number } & { [name in ChannelFigure]: number }>;

/** The name of a channel's own figure in what a spout reports. */
export function channelGauge<N extends ChannelGaugeName>(name: N, channel: string): `${N}.${string}` {
  return `${name}.${channel}`;
}

/** A figure of `Gauges` apart: its name in the lists, and its channel if it has one. */
export function gaugeParts(figure: string): { readonly name: string; readonly channel?: string } {
  const dot = figure.indexOf('.');
  return dot === -1 ? { name: figure } : { name: figure.slice(0, dot), channel: figure.slice(dot + 1) };
}

/** As Prometheus knows it. */
export function metricName(name: CounterName | HistogramName | GaugeName | ChannelGaugeName): `downspout_${string}` {
  return `downspout_${name}`;
}
