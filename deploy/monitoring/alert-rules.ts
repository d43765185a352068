import {
  type ChannelGaugeName,
  type CounterName,
  type GaugeName,
  type HistogramName,
  metricName,
} from '../../topology/gauges';
import { alertRules, haltRules } from './halt-rules';

/** A rule as Prometheus reads it, in alerts.yml as in a PrometheusRule. */
interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: 'critical' | 'warning' };
  readonly annotations: {
    readonly summary: string;
    /** The paragraph's place in this package. */
    readonly runbook: string;
    /** The same on the web, where it is known. */
    readonly runbook_url?: string;
  };
}

/** Where the paragraphs are in this package, by the alert's name in small letters. */
const RUNBOOK = 'docs/runbook.md';
/** Kubernetes' Prometheus labels every figure with it; elsewhere it is absent, and all workers are one deployment. */
const DEPLOYMENT = 'namespace';

/**
 * The alerts of a deployment. docs/runbook.md has a paragraph for each.
 * @param runbookUrl the address of that page, where people who are called can open it
 */
export function alertGroups(runbookUrl?: string): { name: string; rules: AlertRule[] }[] {
  const { lateMs, overdueMs, cdcSilentMs } = haltRules;
  const { uncertain, suspended, failedMessages, lostWorkers, ownerlessTuples } = alertRules;
  const { unusableAccounts, lateWaiting, refreshesFailing, credentialsEndMs } = alertRules;
  const rule = ruleWith(runbookUrl);
  return [
    {
      name: 'downspout',
      rules: [
        rule(
          'DownspoutLate',
          `histogram_quantile(0.99, sum by (${DEPLOYMENT}, channel, le) (rate(${of('lateness_seconds')}_bucket[5m]))) > ${lateMs / 1_000}`,
          '2m',
          'warning',
          'Messages of {{ $labels.channel }} are sent late: the 99th percentile is {{ $value | humanizeDuration }}',
        ),
        rule(
          'DownspoutOverdue',
          `max by (${DEPLOYMENT}, channel) (${of('overdue_ms')}) > ${overdueMs}`,
          '1m',
          'critical',
          'A message of {{ $labels.channel }} has waited since its time for {{ $value }} ms',
        ),
        rule(
          'DownspoutUncertain',
          `max by (${DEPLOYMENT}, channel) (${of('uncertain')}) > ${uncertain}`,
          '0s',
          'warning',
          '{{ $value }} messages of {{ $labels.channel }} may have been sent: a person decides',
        ),
        rule(
          'DownspoutSuspended',
          `max by (${DEPLOYMENT}, channel) (${of('suspended')}) > ${suspended}`,
          '5m',
          'warning',
          '{{ $value }} messages of {{ $labels.channel }} wait for an account that can be used',
        ),
        rule(
          'DownspoutAccountsUnusable',
          `max by (${DEPLOYMENT}, channel) (${of('unusable_accounts')}) > ${unusableAccounts}`,
          '5m',
          'warning',
          '{{ $value }} accounts of {{ $labels.channel }} are unusable: their messages will be suspended',
        ),
        rule(
          'DownspoutRefreshesFailing',
          `max by (${DEPLOYMENT}, channel) (${of('refreshes_failing')}) > ${refreshesFailing}`,
          '15m',
          'warning',
          'The credentials of {{ $value }} accounts of {{ $labels.channel }} cannot be refreshed',
        ),
        rule(
          'DownspoutCredentialsEnd',
          `min by (${DEPLOYMENT}, channel) (${of('credentials_end_ms')}) < ${credentialsEndMs}`,
          '1m',
          'warning',
          'Credentials of an account of {{ $labels.channel }} end in {{ $value }} ms, and nobody refreshes them',
        ),
        rule(
          'DownspoutDeadLetters',
          `sum by (${DEPLOYMENT}, channel) (increase(${of('settled_total')}{state="failed"}[15m])) > ${failedMessages}`,
          '0s',
          'warning',
          '{{ $value }} messages of {{ $labels.channel }} were given up within 15 minutes',
        ),
        rule(
          'DownspoutNotSentInTime',
          `max by (${DEPLOYMENT}, channel) (${of('late_waiting')}) > ${lateWaiting}`,
          '0s',
          'warning',
          '{{ $value }} messages of {{ $labels.channel }} were not sent in time: a person decides',
        ),
        rule(
          'DownspoutSkipped',
          `sum by (${DEPLOYMENT}, channel) (increase(${of('settled_total')}{state="skipped"}[15m])) > 0`,
          '0s',
          'warning',
          '{{ $value }} messages of {{ $labels.channel }} were skipped within 15 minutes, because they were not sent in time',
        ),
        rule(
          'DownspoutCdcSilent',
          `max by (${DEPLOYMENT}) (${of('cdc_silent_ms')}) > ${cdcSilentMs} ` +
            `or max by (${DEPLOYMENT}) (${of('cdc_failed')}) > 0 or max by (${DEPLOYMENT}) (${of('cdc_obstacles')}) > 0`,
          '30s',
          'critical',
          'CDC brings no changes: what is planned for the next seconds comes late',
        ),
        rule(
          'DownspoutDatabaseMemberMissing',
          missing('database_members'),
          '1m',
          'critical',
          'The replication group of MySQL has {{ $value }} servers online, fewer than there were',
        ),
        rule(
          'DownspoutBrokerMissing',
          missing('brokers'),
          '1m',
          'critical',
          'Kafka has {{ $value }} brokers, fewer than there were',
        ),
        rule(
          'DownspoutConnectWorkerMissing',
          missing('connect_workers'),
          '1m',
          'warning',
          'Kafka Connect has {{ $value }} workers, fewer than there were',
        ),
        rule(
          'DownspoutCrashLoop',
          `max by (${DEPLOYMENT}) (${of('workers_lost')}) > ${lostWorkers} or max by (${DEPLOYMENT}) (${of('crash_looping')}) > 0`,
          '0s',
          'critical',
          'Workers die again and again',
        ),
        rule(
          'DownspoutWorkerAway',
          `max by (${DEPLOYMENT}) (${of('workers_wanted')}) - max by (${DEPLOYMENT}) (${of('workers_alive')}) > 0`,
          '1m',
          'warning',
          '{{ $value }} workers that topology.yaml asks for are away',
        ),
        rule(
          'DownspoutLagWithoutOwner',
          `max by (${DEPLOYMENT}, channel) (${of('ownerless')}) > ${ownerlessTuples}`,
          '30s',
          'critical',
          '{{ $value }} tuples of {{ $labels.channel }} wait in partitions that no worker owns',
        ),
        rule(
          'DownspoutLeaseOut',
          `min by (${DEPLOYMENT}, instance) (${of('lease_holds')}) == 0`,
          '30s',
          'critical',
          '{{ $labels.instance }} may not send: it cannot renew its lease in the database',
        ),
        rule(
          'DownspoutUnwatched',
          gone('workers_alive'),
          '2m',
          'critical',
          'No spout tells of the deployment: none runs, or the database or Kafka do not answer',
        ),
      ],
    },
  ];
}

type Name = GaugeName | ChannelGaugeName | CounterName | HistogramName;

function of(name: Name): string {
  return metricName(name);
}

/**
 * Nobody says it any more. Beside other deployments that one Prometheus knows, it is missed by who said it within the last day; where nobody says
 * it at all, for ever.
 */
function gone(name: Name): string {
  const said = `max by (${DEPLOYMENT}) (max_over_time(${of(name)}[1d]))`;
  return `absent(${of(name)}) or (${said} unless on (${DEPLOYMENT}) max by (${DEPLOYMENT}) (${of(name)}))`;
}

/**
 * Fewer than there were. A member that has been away for weeks is still missing, so a month counts; its figures are read every ten
 * minutes, and those of the last day all.
 */
function missing(name: Name): string {
  const most = (range: string) => `max by (${DEPLOYMENT}) (max_over_time(${of(name)}[${range}]))`;
  const now = `max by (${DEPLOYMENT}) (${of(name)})`;
  return `${now} < ${most('1d')} or ${now} < ${most('30d:10m')}`;
}

function ruleWith(runbookUrl: string | undefined) {
  return (alert: string, expr: string, wait: string, severity: 'critical' | 'warning', summary: string): AlertRule => {
    const at = (page: string) => `${page}#${alert.toLowerCase()}`;
    const onTheWeb = runbookUrl === undefined ? {} : { runbook_url: at(runbookUrl) };
    const annotations = { summary, runbook: at(RUNBOOK), ...onTheWeb };
    return { alert, expr, for: wait, labels: { severity }, annotations };
  };
}
