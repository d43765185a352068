import type { WorkerStatus } from '../../../connectors/mysql/operators/worker-status';
import type { DatabaseReport } from '../../../deploy/inspect/database-report';
import { deliveryWarnings } from '../../../deploy/inspect/delivery-warnings';

const NOW = 1_800_000_000_000;

const worker = (components: readonly string[], over: Partial<WorkerStatus> = {}): WorkerStatus => ({
  session: 'ab'.repeat(16),
  components,
  host: 'h',
  pid: 7,
  version: '0.1.0',
  release: null,
  replica: null,
  supervisor: null,
  statusUrl: null,
  startedAt: NOW - 60_000,
  leaseUntil: NOW + 9_000,
  state: 'alive',
  partitions: {},
  gauges: {},
  ...over,
});

const waitingOn = (channel: string, open: number, overdue: number, oldest: number) => ({
  channel,
  open,
  openIsExact: true,
  overdue,
  overdueIsExact: true,
  sending: 0,
  oldest,
});

const report = (over: Partial<DatabaseReport> = {}): DatabaseReport => ({
  now: NOW,
  counts: [],
  waiting: [waitingOn('webhook', 1_200, 3, NOW - 5)],
  otherChannels: { count: 0, exact: true },
  nextHour: [],
  workers: [worker(['due']), worker(['webhook'])],
  pauses: [],
  limited: [],
  placements: [],
  supervisors: [],
  deployment: {
    id: 'ab'.repeat(16),
    kafkaCluster: 'k',
    namespace: '',
    topology: 'release 7',
    connectionsOfWorkers: 40,
    maxConnections: 151,
    maxPacketBytes: 64 * 1024 * 1024,
  },
  binlog: [],
  members: [],
  ...over,
});

test('where everything runs there is nothing to look at', () => {
  expect(deliveryWarnings(report(), ['webhook'])).toEqual([]);
});

test('messages on a channel without a sender are named', () => {
  const waiting = [waitingOn('x', 2_000, 0, NOW)];
  expect(deliveryWarnings(report({ waiting }), ['webhook'])).toEqual([
    '2,000 messages wait on channel x, which has no sender in release 7.',
  ]);
});

test('components that messages wait for and nobody runs are named; dead workers do not count', () => {
  expect(deliveryWarnings(report({ workers: [worker(['due', 'webhook'], { state: 'dead' })] }), ['webhook'])).toEqual([
    'Messages wait and no worker runs the spout `due`.',
    '1,200 messages wait on channel webhook and no worker runs its bolt.',
  ]);
  expect(deliveryWarnings(report({ workers: [], waiting: [] }), ['webhook'])).toEqual([]);
});

test('failed messages are named', () => {
  const counts = [
    { channel: 'webhook', state: 'failed' as const, count: 1_500, exact: true },
    { channel: 'all', state: 'ended' as const, count: 9, exact: false },
  ];
  expect(deliveryWarnings(report({ counts }), ['webhook'])).toEqual([
    '1,500 messages of webhook have failed (downspout messages list --state failed, messages redrive).',
  ]);
});

test('what was not sent in time is named apart', () => {
  const counts = [
    { channel: 'webhook', state: 'failed' as const, count: 2, exact: true },
    { channel: 'webhook', state: 'skipped' as const, count: 3, exact: true },
    { channel: 'mastodon', state: 'late' as const, count: 1, exact: true },
  ];
  expect(deliveryWarnings(report({ counts }), ['webhook'])).toEqual([
    '2 messages of webhook have failed (downspout messages list --state failed, messages redrive).',
    '3 messages of webhook were skipped, not sent in time (downspout messages list --state failed --late, messages redrive --late).',
    '1 message of mastodon was not sent in time: a person decides (downspout messages list --state late, messages resume --late).',
  ]);
});

test('uncertain messages, pauses and leases that ran out are named', () => {
  const warnings = deliveryWarnings(
    report({
      counts: [
        { channel: 'webhook', state: 'uncertain', count: 2, exact: true },
        { channel: 'mastodon', state: 'suspended', count: 3, exact: true },
      ],
      pauses: [
        { channel: 'webhook', account: null, pausedAt: NOW, untilAt: null, command: null },
        { channel: 'webhook', account: 'acme', pausedAt: NOW, untilAt: Date.UTC(2027, 5, 1), command: null },
        { channel: null, account: null, pausedAt: NOW, untilAt: null, command: null },
      ],
      workers: [worker(['due', 'webhook']), worker(['webhook'], { state: 'late' })],
    }),
    ['webhook'],
  );
  expect(warnings).toEqual([
    expect.stringMatching(/^DEACTIVATED since .*: no message is sent on any channel\. `downspout activate`/),
    '2 messages of webhook are uncertain: a person decides (downspout messages resolve).',
    '3 messages of mastodon are suspended, because their accounts cannot be used, or kept back by a person (downspout accounts list; messages resume sends what was kept).',
    'Paused: webhook.',
    'Paused: webhook, account acme, until 2027-06-01T00:00:00.000Z.',
    'The lease of worker h/7 has run out; what it was sending is recovered soon.',
  ]);
});

test('accounts at a limit are counted by channel, with when they go on', () => {
  const at = Date.UTC(2026, 10, 27, 12, 0, 0);
  const one = { channel: 'x', accounts: 1, firstAt: at, lastAt: at, allUntilAt: null };
  const some = { channel: 'mastodon', accounts: 3, firstAt: at, lastAt: at + 60_000, allUntilAt: null };
  const whole = { channel: 'threads', accounts: 0, firstAt: at, lastAt: at, allUntilAt: at };
  const warnings = deliveryWarnings(report({ limited: [one, some, whole] }), []);
  expect(warnings.filter((text) => text.includes('sent as much'))).toEqual([
    expect.stringMatching(/^One account of x has sent as much as limits, or the provider, allow: it goes on at /),
    expect.stringMatching(/^3 accounts of mastodon have sent as much .*: the first goes on at .*, the last at /),
    expect.stringMatching(
      /^Channel threads has sent as much as its limits, or its provider, allow all accounts together/,
    ),
  ]);
});
