import type { Command } from 'commander';
import type { Figure } from '../../../connectors/mysql/operators/quick-count';
import type { ChannelWaiting, StateCount } from '../../../connectors/mysql/operators/status';
import type { WorkerStatus } from '../../../connectors/mysql/operators/worker-status';
import { systemClock } from '../../../topology/core/clock';
import { channelGauge, type Gauges } from '../../../topology/gauges';
import { messageStates } from '../../../topology/message';
import { SPOUT } from '../../../topology/streams';
import type { Column, Output, OutputOptions } from '../../console/output';
import { formatCount, formatDuration, formatInstant, formatPartitions, formatRelative } from '../../console/units';
import type { DatabaseReport } from '../../inspect/database-report';
import type { DeploymentReport } from '../../inspect/deployment-report';
import { type PartStatus, readStatus, type StatusReport } from '../../inspect/status-report';
import { contextOf, dataVerb } from '../verb';

/** `downspout status`. */
export function statusCommand(): Command {
  return dataVerb('status', 'the parts of the stack, the workers, and what waits', {
    example: 'downspout status --json',
    fails: 'a part that delivery needs does not answer',
  }).action(async (options: OutputOptions) => {
    const { output, settings } = contextOf(options);
    const report = await readStatus(settings.environment, systemClock);
    if (report.parts.some((part) => part.needed && !part.ok)) process.exitCode = 1;
    output.data(report, () => statusText(report, output));
  });
}

function statusText(report: StatusReport, output: Output): string {
  const { bold, red, yellow } = output.colors;
  const { database } = report;
  const deactivated = report.warnings.filter((line) => line.startsWith('DEACTIVATED'));
  const sections = [
    ...deactivated.map((line) => red(bold(line))),
    `${bold('Parts')}\n${output.table(partColumns, report.parts)}`,
    ...(database === null
      ? []
      : [
          `${bold('Deployment')}\n${deploymentText(database.deployment)}`,
          `${bold('Workers')}\n${workersText(database, output)}`,
          `${bold('Messages')} (rows by channel and state)\n${countsText(database, output)}`,
          `${bold('Waiting')}\n${waitingText(database, report.queued, output)}`,
        ]),
    ...(report.warnings.length === 0
      ? []
      : [`${bold('To look at')}\n${report.warnings.map((line) => yellow(line)).join('\n')}`]),
  ];
  return sections.join('\n\n');
}

const partColumns: readonly Column<PartStatus>[] = [
  { title: 'part', value: ({ part }) => part },
  { title: 'state', value: ({ ok }) => (ok ? 'ok' : 'NOT OK') },
  { title: '', value: ({ detail }) => detail },
];

function deploymentText(report: DeploymentReport): string {
  const { id, kafkaCluster, namespace, topology, connectionsOfWorkers, maxConnections } = report;
  const place =
    kafkaCluster === null
      ? 'of no Kafka cluster yet: the first worker, or `downspout provision`, writes it down'
      : `of Kafka cluster ${kafkaCluster}, namespace "${namespace}"`;
  const connections = `${formatCount(connectionsOfWorkers)} of ${formatCount(maxConnections)}`;
  return `${id.slice(0, 16)} ${place}\nWorkers as in ${topology} open up to ${connections} connections of MySQL.`;
}

function workersText({ workers, now }: DatabaseReport, output: Output): string {
  // Those that stopped in good order are of no interest any more.
  const shown = workers.filter(({ state }) => state !== 'left');
  if (shown.length === 0) return 'None. `downspout worker --component due,webhook` runs one.';
  const columns: readonly Column<WorkerStatus>[] = [
    { title: 'worker (host/pid)', value: ({ host, pid }) => `${host}/${pid}` },
    { title: 'components', value: ({ components }) => components.join(', ') },
    { title: 'release', align: 'right', value: ({ release }) => (release === null ? '–' : String(release)) },
    { title: 'state', value: ({ state }) => state },
    { title: 'partitions', value: ({ partitions }) => partitionsText(partitions) },
    { title: 'up for', align: 'right', value: ({ startedAt }) => formatDuration(now - startedAt) },
    { title: 'lease', value: ({ leaseUntil }) => leaseText(leaseUntil, now) },
    { title: 'metrics', value: ({ statusUrl }) => (statusUrl === null ? '–' : `${statusUrl}/metrics`) },
  ];
  return output.table(columns, shown);
}

function partitionsText(partitions: WorkerStatus['partitions']): string {
  const parts = Object.entries(partitions);
  if (parts.length === 0) return '–';
  if (parts.length === 1) return formatPartitions(parts[0]?.[1] ?? []);
  return parts.map(([component, owned]) => `${component}: ${formatPartitions(owned)}`).join('; ');
}

function leaseText(until: number, now: number): string {
  return until > now ? `${formatDuration(until - now)} left` : `out for ${formatDuration(now - until)}`;
}

function countsText({ counts }: DatabaseReport, output: Output): string {
  if (counts.length === 0) return 'None.';
  const channels = [...new Set(counts.map(({ channel }) => channel))];
  const isWhole = counts.every(({ exact }) => exact);
  const states = isWhole
    ? ([...messageStates, 'skipped'] as const)
    : (['scheduled', 'sending', 'failed', 'uncertain', 'suspended', 'late', 'skipped', 'ended'] as const);
  const columns: readonly Column<string>[] = [
    { title: 'channel', value: (channel) => channel },
    ...states.map((state) => ({
      title: state === 'ended' ? 'delivered or canceled' : state,
      align: 'right' as const,
      value: (channel: string) => countText(counts, channel, state),
    })),
  ];
  return isWhole
    ? output.table(columns, channels)
    : `${output.table(columns, channels)}\n~ : an estimate, because there are many.`;
}

function countText(counts: readonly StateCount[], channel: string, state: string): string {
  const found = counts.find((count) => count.channel === channel && count.state === state);
  return figure(found?.count ?? 0, found?.exact ?? true);
}

function figure(count: number, exact: boolean): string {
  return `${exact ? '' : '~'}${formatCount(count)}`;
}

function othersText({ count, exact }: Figure, topology: string): string {
  if (count === 0 && exact) return '';
  return `and ${exact ? '' : 'more than '}${formatCount(count)} more channels that ${topology} has no sender for.\n`;
}

function waitingText(
  { waiting, otherChannels, workers, nextHour, now, deployment }: DatabaseReport,
  queued: StatusReport['queued'],
  output: Output,
): string {
  const gauge = (component: string, name: keyof Gauges) =>
    workers
      .filter(({ state }) => state === 'alive')
      .reduce((sum, { gauges }) => sum + (gauges[component]?.[name] ?? 0), 0);
  const columns: readonly Column<ChannelWaiting>[] = [
    { title: 'channel', value: ({ channel }) => channel },
    { title: 'open', align: 'right', value: ({ open, openIsExact }) => figure(open, openIsExact) },
    { title: 'overdue', align: 'right', value: ({ overdue, overdueIsExact }) => figure(overdue, overdueIsExact) },
    { title: 'sending', align: 'right', value: ({ sending }) => (sending === null ? 'many' : formatCount(sending)) },
    { title: 'oldest wakes', value: ({ oldest }) => `${formatInstant(oldest)}, ${formatRelative(oldest, now)}` },
    {
      title: 'pending',
      align: 'right',
      value: ({ channel }) => formatCount(gauge(SPOUT, channelGauge('pending', channel))),
    },
    {
      title: 'queued',
      align: 'right',
      value: ({ channel }) => (queued === null ? '–' : formatCount(queued[channel] ?? 0)),
    },
    { title: 'held', align: 'right', value: ({ channel }) => formatCount(gauge(channel, 'held')) },
    { title: 'in flight', align: 'right', value: ({ channel }) => formatCount(gauge(channel, 'in_flight')) },
  ];
  if (waiting.length === 0) return 'Nothing.';
  const peak = nextHour?.toSorted((a, b) => b.count - a.count)[0];
  const coming =
    nextHour === null
      ? 'More wakes within the next hour than can be counted in a moment.'
      : peak === undefined
        ? 'Nothing wakes within the next hour.'
        : `The fullest minute of the next hour: ${formatCount(peak.count)} of ${peak.channel} at ${formatInstant(peak.minute)}, ${formatRelative(peak.minute, now)}.`;
  return `${output.table(columns, waiting)}\n${othersText(otherChannels, deployment.topology)}${coming}\nPending, held and in flight are as the workers last reported, at most 3 s ago.`;
}
