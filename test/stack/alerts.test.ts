import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { alertGroups } from '../../deploy/monitoring/alert-rules';
import { Cache, cacheFolder } from '../../deploy/stack/fetch/cache';
import { debianRoot } from '../../deploy/stack/fetch/debian';
import { onPath, run } from '../../deploy/stack/host/commands';
import { systemClock } from '../../topology/core/clock';
import { readStackVariables } from '../../topology/settings/environment';
import { packageRoot } from '../../topology/settings/package';

/** Samples every 15 s, as promtool writes them: `4+0x40` is 4, forty times more. */
interface Case {
  /** Figures by which the alert fires at `at`. */
  readonly bad: Readonly<Record<string, string>>;
  /** Figures that are close, and by which it does not. */
  readonly good: Readonly<Record<string, string>>;
  /** Labels of the alert that fires. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly at: string;
}

const due = 'component="due"';
const webhook = `{${due}, channel="webhook"}`;
const channel = { channel: 'webhook' };

/** Of lateness: how many of 200 a minute lie below each bound, as counters. */
function lateness(below1s: number): Record<string, string> {
  const buckets = { 1: below1s, 2.5: 50, '+Inf': 50 };
  return Object.fromEntries(
    Object.entries(buckets).map(([le, perStep]) => [
      `downspout_lateness_seconds_bucket{channel="webhook", le="${le}"}`,
      `0+${perStep}x60`,
    ]),
  );
}

const cases: Readonly<Record<string, Case>> = {
  DownspoutLate: { bad: lateness(49), good: lateness(50), labels: channel, at: '10m' },
  DownspoutOverdue: {
    bad: { [`downspout_overdue_ms${webhook}`]: '0x4 31000+15000x20' },
    good: { [`downspout_overdue_ms${webhook}`]: '29000+0x20' },
    labels: channel,
    at: '4m',
  },
  DownspoutUncertain: {
    bad: { [`downspout_uncertain${webhook}`]: '1+0x20' },
    good: { [`downspout_uncertain${webhook}`]: '0+0x20' },
    labels: channel,
    at: '1m',
  },
  DownspoutSuspended: {
    bad: { [`downspout_suspended${webhook}`]: '1+0x40' },
    good: { [`downspout_suspended${webhook}`]: '0+0x40' },
    labels: channel,
    at: '6m',
  },
  DownspoutAccountsUnusable: {
    bad: { [`downspout_unusable_accounts${webhook}`]: '1+0x40' },
    good: { [`downspout_unusable_accounts${webhook}`]: '0+0x40' },
    labels: channel,
    at: '6m',
  },
  DownspoutRefreshesFailing: {
    bad: { [`downspout_refreshes_failing${webhook}`]: '1+0x80' },
    // Put off for a while, and made then.
    good: { [`downspout_refreshes_failing${webhook}`]: '1+0x40 0+0x40' },
    labels: channel,
    at: '17m',
  },
  DownspoutCredentialsEnd: {
    bad: { [`downspout_credentials_end_ms${webhook}`]: '259200000-15000x40' },
    good: { [`downspout_credentials_end_ms${webhook}`]: '864000000-15000x40' },
    labels: channel,
    at: '3m',
  },
  DownspoutDeadLetters: {
    bad: { 'downspout_settled_total{channel="webhook", state="failed"}': '0+1x60' },
    good: {
      'downspout_settled_total{channel="webhook", state="failed"}': '500+0x60',
      'downspout_settled_total{channel="webhook", state="delivered"}': '0+100x60',
      'downspout_settled_total{channel="webhook", state="skipped"}': '0+5x60',
    },
    labels: channel,
    at: '15m',
  },
  DownspoutNotSentInTime: {
    bad: { [`downspout_late_waiting${webhook}`]: '1+0x20' },
    good: { [`downspout_late_waiting${webhook}`]: '0+0x20' },
    labels: channel,
    at: '1m',
  },
  DownspoutSkipped: {
    bad: { 'downspout_settled_total{channel="webhook", state="skipped"}': '0x4 3x40' },
    good: {
      'downspout_settled_total{channel="webhook", state="skipped"}': '3x40',
      'downspout_settled_total{channel="webhook", state="late"}': '0x4 3x40',
    },
    labels: channel,
    at: '3m',
  },
  DownspoutCdcSilent: {
    bad: { [`downspout_cdc_silent_ms{${due}}`]: '16000+15000x20' },
    good: {
      [`downspout_cdc_silent_ms{${due}}`]: '900+0x20',
      [`downspout_cdc_failed{${due}}`]: '0+0x20',
      [`downspout_cdc_obstacles{${due}}`]: '0+0x20',
    },
    at: '2m',
  },
  DownspoutDatabaseMemberMissing: {
    bad: { [`downspout_database_members{${due}}`]: '3+0x20 2+0x20' },
    good: { [`downspout_database_members{${due}}`]: '3+0x40' },
    at: '8m',
  },
  DownspoutBrokerMissing: {
    bad: { [`downspout_brokers{${due}}`]: '3+0x20 2+0x20' },
    good: { [`downspout_brokers{${due}}`]: '1+0x40' },
    at: '8m',
  },
  DownspoutConnectWorkerMissing: {
    bad: { [`downspout_connect_workers{${due}}`]: '2+0x20 1+0x20' },
    good: { [`downspout_connect_workers{${due}}`]: '1+0x40' },
    at: '8m',
  },
  DownspoutCrashLoop: {
    bad: { [`downspout_crash_looping{${due}}`]: '1+0x20' },
    good: { [`downspout_workers_lost{${due}}`]: '2+0x20', [`downspout_crash_looping{${due}}`]: '0+0x20' },
    at: '1m',
  },
  DownspoutWorkerAway: {
    bad: { [`downspout_workers_wanted{${due}}`]: '4+0x20', [`downspout_workers_alive{${due}}`]: '3+0x20' },
    // A roll has one more for a while, and one less for a moment.
    good: { [`downspout_workers_wanted{${due}}`]: '4+0x20', [`downspout_workers_alive{${due}}`]: '5+0x10 3 4+0x10' },
    at: '2m',
  },
  DownspoutLagWithoutOwner: {
    bad: { [`downspout_ownerless${webhook}`]: '7+0x20' },
    good: { [`downspout_ownerless${webhook}`]: '0+0x20' },
    labels: channel,
    at: '2m',
  },
  DownspoutLeaseOut: {
    bad: { 'downspout_lease_holds{component="session", instance="b"}': '0+0x20' },
    good: { 'downspout_lease_holds{component="session", instance="a"}': '1+0x20' },
    labels: { instance: 'b' },
    at: '2m',
  },
  DownspoutUnwatched: {
    bad: { 'up{job="downspout"}': '1+0x40' },
    good: { [`downspout_workers_alive{${due}}`]: '0+0x40' },
    at: '4m',
  },
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'alerts-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const rules = alertGroups().flatMap((group) => group.rules);

async function promtool(args: readonly string[]): Promise<string> {
  const found = await onPath('promtool');
  if (found !== null) return run(found, args);
  const root = await debianRoot(new Cache(cacheFolder(readStackVariables()), systemClock), () => undefined);
  return run(join(root, 'usr', 'bin', 'promtool'), args);
}

/** What promtool says of tests of the rules, which are evaluated so often. */
async function tested(tests: readonly object[], every: string): Promise<string> {
  const ruleFile = join(folder, 'alerts.yml');
  // Texts are for people: a test of them would only repeat them.
  const bare = rules.map(({ alert, expr, for: wait, labels }) => ({ alert, expr, for: wait, labels }));
  writeFileSync(ruleFile, stringify({ groups: [{ name: 'downspout', rules: bare }] }));
  const file = join(folder, 'tests.yml');
  writeFileSync(file, stringify({ rule_files: [ruleFile], evaluation_interval: every, tests }));
  return promtool(['test', 'rules', file]);
}

const series = (figures: Readonly<Record<string, string>>) =>
  Object.entries(figures).map(([name, values]) => ({ series: name, values }));

test('every alert fires by its figure, with its labels, and not by one that is close', async () => {
  expect(Object.keys(cases)).toEqual(rules.map(({ alert }) => alert));
  const tests = rules.flatMap(({ alert, labels: own }) => {
    const { bad, good, labels, at } = cases[alert] as Case;
    const fires = { eval_time: at, alertname: alert, exp_alerts: [{ exp_labels: { ...own, ...labels } }] };
    return [
      { name: `${alert} fires`, interval: '15s', input_series: series(bad), alert_rule_test: [fires] },
      {
        name: `${alert} keeps quiet`,
        interval: '15s',
        input_series: series(good),
        alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: [] }],
      },
    ];
  });
  expect(await tested(tests, '15s')).toContain('SUCCESS');
}, 180_000);

test('a member that has been away for a week is still missing, until it is back', async () => {
  const members = ['DownspoutDatabaseMemberMissing', 'DownspoutBrokerMissing', 'DownspoutConnectWorkerMissing'];
  const rest = members.map((alertname) => {
    const own = rules.find(({ alert }) => alert === alertname)?.labels;
    return [
      { eval_time: '7d', alertname, exp_alerts: [{ exp_labels: own }] },
      { eval_time: '175h', alertname, exp_alerts: [] },
    ];
  });
  // An hour of three, a week of two, and three again.
  const values = '3+0x11 2+0x2015 3+0x200';
  const week = {
    interval: '5m',
    input_series: series({
      [`downspout_database_members{${due}}`]: values,
      [`downspout_brokers{${due}}`]: values,
      [`downspout_connect_workers{${due}}`]: values,
    }),
    alert_rule_test: rest.flat(),
  };
  expect(await tested([week], '5m')).toContain('SUCCESS');
}, 180_000);

test('a deployment that nobody tells of is missed beside another one of the same Prometheus, for a day', async () => {
  const [alertname, own] = ['DownspoutUnwatched', { severity: 'critical' }];
  const [blue, green] = ['blue', 'green'].map((name) => `downspout_workers_alive{${due}, namespace="${name}"}`) as [
    string,
    string,
  ];
  // Both for an hour, then blue alone for two days.
  const beside = { [blue]: '4+0x600', [green]: '2+0x11 _x600' };
  const fires = (eval_time: string, labels: object) => ({
    eval_time,
    alertname,
    exp_alerts: [{ exp_labels: { ...own, ...labels } }],
  });
  const quiet = (eval_time: string) => ({ eval_time, alertname, exp_alerts: [] });
  const tests = [
    [beside, [quiet('50m'), fires('90m', { namespace: 'green' }), fires('24h', { namespace: 'green' }), quiet('26h')]],
    // Where nobody tells of any, it does not end.
    [{ [green]: '2+0x11 _x600' }, [fires('26h', {})]],
    [{ 'downspout_workers_alive{component="due"}': '2+0x11 _x600' }, [fires('90m', {}), fires('26h', {})]],
  ] as const;
  const told = tests.map(([figures, looks]) => ({
    interval: '5m',
    input_series: series(figures),
    alert_rule_test: looks,
  }));
  expect(await tested(told, '1m')).toContain('SUCCESS');
}, 180_000);

test('Prometheus reads alerts.yml, and the texts of all alerts', async () => {
  const file = join(packageRoot(), 'deploy', 'monitoring', 'alerts.yml');
  expect(await promtool(['check', 'rules', '--lint-fatal', file])).toContain(`SUCCESS: ${rules.length} rules found`);
}, 60_000);
