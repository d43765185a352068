import type { Message } from '../../../connectors/mysql/client/client';
import type { WorkerStatus } from '../../../connectors/mysql/operators/worker-status';
import { type MessageSurroundings, whatHolds } from '../../../deploy/inspect/what-holds';

const NOW = Date.UTC(2027, 0, 15, 9);
const SESSION = 'ab'.repeat(16);

const message = (over: Partial<Message> = {}): Message => ({
  id: 7,
  account: 'acme',
  channel: 'webhook',
  payload: {},
  dueAt: NOW + 60_000,
  sendWithinMs: null,
  onLate: null,
  lateFrom: null,
  isLate: false,
  wakeAt: over.dueAt ?? NOW + 60_000,
  localTime: null,
  zone: null,
  state: 'scheduled',
  version: 1,
  attempts: 0,
  planNumber: 1,
  inDoubt: false,
  session: null,
  deliveredAt: null,
  receipt: null,
  lastError: null,
  dedupeKey: null,
  createdAt: NOW - 1_000,
  updatedAt: NOW - 1_000,
  ...over,
});

const worker = (over: Partial<WorkerStatus> = {}): WorkerStatus => ({
  session: SESSION,
  components: ['due', 'webhook'],
  host: 'h',
  pid: 3,
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

const around = (over: Partial<MessageSurroundings> = {}): MessageSurroundings => ({
  now: NOW,
  pauses: [],
  limited: [],
  workers: [worker()],
  senders: ['webhook'],
  topology: 'release 7',
  account: 'usable',
  ...over,
});

const kinds = (one: Message, where = around()) => whatHolds(one, where).map(({ kind }) => kind);
const text = (one: Message, where = around()) => whatHolds(one, where)[0]?.text;

test('a message that is not due says when it is', () => {
  expect(kinds(message())).toEqual(['not_due']);
  expect(text(message())).toBe('it is not due until 2027-01-15T09:01:00.000Z, in 1 min.');
});

test('a message between two attempts says when the next one begins', () => {
  const retried = message({ dueAt: NOW - 5_000, wakeAt: NOW + 30_000, attempts: 2 });
  expect(kinds(retried)).toEqual(['waits_for_retry']);
  expect(text(retried)).toBe('after 2 attempts it waits until 2027-01-15T09:00:30.000Z, in 30.0 s.');
});

test('everything that would keep a message from leaving is named beside its time', () => {
  const pauses = [
    { channel: null, account: null, pausedAt: NOW, untilAt: null, command: null },
    { channel: 'webhook', account: null, pausedAt: NOW, untilAt: null, command: null },
    { channel: 'webhook', account: 'acme', pausedAt: NOW, untilAt: null, command: null },
    { channel: 'webhook', account: 'other', pausedAt: NOW, untilAt: null, command: null },
    { channel: 'x', account: null, pausedAt: NOW, untilAt: null, command: null },
  ];
  const dead = worker({ state: 'dead' });
  expect(kinds(message(), around({ pauses, workers: [dead] }))).toEqual([
    'not_due',
    'deactivated',
    'channel_paused',
    'account_paused',
    'no_bolt',
    'no_spout',
  ]);
  expect(kinds(message({ channel: 'x' }))).toEqual(['not_due', 'no_sender']);
});

test('a pause of another account or channel holds nothing', () => {
  const pauses = [
    { channel: 'webhook', account: 'other', pausedAt: NOW, untilAt: null, command: null },
    { channel: 'x', account: null, pausedAt: NOW, untilAt: null, command: null },
  ];
  expect(kinds(message(), around({ pauses }))).toEqual(['not_due']);
});

test('an overdue message that nothing holds back says so, another says what does', () => {
  const overdue = message({ dueAt: NOW - 3_000 });
  expect(kinds(overdue)).toEqual(['overdue']);
  expect(text(overdue)).toMatch(/^its time came 3\.00 s ago\. Nothing holds it back: /);
  expect(text(overdue, around({ workers: [] }))).toBe('its time came 3.00 s ago.');
});

test('a message that is being sent names the worker, or that its lease is over', () => {
  const sending = message({ state: 'sending', session: SESSION, updatedAt: NOW - 400 });
  expect(text(sending)).toBe('worker h/3 is sending it since 2027-01-15T08:59:59.600Z, for 400 ms.');
  for (const state of ['late', 'dead', 'left'] as const) {
    expect(kinds(sending, around({ workers: [worker({ state })] }))).toEqual(['sender_gone']);
  }
  expect(text(sending, around({ workers: [] }))).toMatch(/^the worker that claimed it no longer holds its lease/);
});

test('a message that the ledger says is delivered by this claim says so, and who writes that to it', () => {
  const sending = message({ state: 'sending', session: SESSION, version: 2 });
  const attempt = { session: SESSION, version: 2, outcome: 'delivered', finishedAt: NOW - 400 } as const;
  const delivered = around({ attempts: [attempt] });
  expect(kinds(sending, delivered)).toEqual(['delivered']);
  expect(text(sending, delivered)).toMatch(/^it was delivered at 2027-01-15T08:59:59.600Z; worker h\/3 writes that/);
  expect(text(sending, around({ attempts: [attempt], workers: [] }))).toContain('; a spout writes that');
  for (const other of [{ version: 1 }, { session: 'cd'.repeat(16) }, { outcome: 'retry' as const }]) {
    expect(kinds(sending, around({ attempts: [{ ...attempt, ...other }] }))).toEqual(['being_sent']);
  }
});

test('what needs a person names the command, and what ended is held by nothing', () => {
  expect(text(message({ state: 'failed' }))).toContain('downspout messages redrive 7');
  expect(text(message({ state: 'uncertain' }))).toContain('downspout messages resolve 7 --delivered');
  const suspended = message({ state: 'suspended', lastError: 'the token was revoked' });
  expect(kinds(suspended)).toEqual(['kept_back']);
  expect(text(suspended)).toContain('downspout messages resume 7');
  expect(kinds(message({ state: 'delivered' }))).toEqual([]);
  expect(kinds(message({ state: 'canceled' }))).toEqual([]);
});

test('of a suspended message it is said what helps, which depends on its account', () => {
  const suspended = message({ state: 'suspended', lastError: 'the token was revoked' });
  const of = (account: MessageSurroundings['account']) => text(suspended, around({ account }));
  expect(of('unusable')).toMatch(
    /cannot be used on webhook: the token was revoked\. It goes out after `downspout accounts set /,
  );
  expect(of('disabled')).toContain('It goes out after `downspout accounts enable ');
  expect(of('resuming')).toMatch(/can be used again: it goes out in its turn/);
  expect(of('usable')).toBe('a person has kept it back; `downspout messages resume 7` sends it.');
});

test('a late message waits for a person', () => {
  expect(text(message({ state: 'late', isLate: true }))).toMatch(
    /^it was not sent in time, and a person decides: `downspout messages resume 7` sends it now/,
  );
  expect(kinds(message({ state: 'late', isLate: true }))).toEqual(['needs_person']);
});

test('a message whose account, or channel, is at a limit says until when', () => {
  const [limit, all] = [
    { channel: 'webhook', account: 'acme', untilAt: NOW + 60_000, isHeld: false },
    { channel: 'webhook', account: null, untilAt: NOW + 120_000, isHeld: true },
  ];
  const holds = whatHolds(message(), around({ limited: [limit, all] }));
  expect(holds.map(({ kind }) => kind)).toEqual(['not_due', 'account_limited', 'channel_limited']);
  expect(holds[1]?.text).toMatch(/^account acme has sent as much as limits, .* in their order at .*, in 1 min\.$/);
  expect(holds[2]?.text).toMatch(
    /^all accounts of webhook together have sent as much.* Its provider has said so; `downspout resume webhook` asks/,
  );
});
