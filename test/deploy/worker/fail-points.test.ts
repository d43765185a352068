import type { Channel } from '../../../bolts/channel';
import type { SendRow, SendRows } from '../../../bolts/send-rows';
import {
  type FailPoint,
  type FailPorts,
  failPointNames,
  parseFailPoints,
  withFailPoints,
} from '../../../deploy/worker/fail-points';
import { UserError } from '../../../topology/core/errors';
import type { GroupListener } from '../../../topology/runtime/streams-client';
import { ScriptedChannel } from '../../support/channels/scripted-channel';
import { MemoryLog } from '../../support/kafka/memory-log';
import { MemoryStreams } from '../../support/kafka/memory-streams';
import { ManualClock } from '../../support/manual-clock';
import { MemoryDatabase } from '../../support/mysql/memory-database';
import { until } from '../../support/until';

const session = 'ab'.repeat(16);

/** Ports in memory, and what happened: places that were come by, and what whoever uses the ports notes. */
function world(
  wanted: readonly FailPoint[] = failPointNames.map((name) => ({ name, action: 'kill' as const, nth: 1 })),
) {
  const clock = new ManualClock();
  const database = new MemoryDatabase(clock);
  const log = new MemoryLog(clock);
  log.create('schedule-changes', 1);
  log.create('due.webhook', 1);
  const channel = new ScriptedChannel(clock);
  const bare: FailPorts = {
    streams: new MemoryStreams(log),
    openRows: database.openRows(),
    sendRows: () => database.sendRows(),
    readyRows: database.readyRows(),
    channels: new Map([['webhook', channel as Channel]]),
  };
  const happened: string[] = [];
  const ports = withFailPoints(bare, wanted, ({ name }) => happened.push(name));
  return { clock, database, log, channel, bare, ports, happened };
}

const listener: GroupListener & { assigned: () => void } = {
  rebalancing: () => undefined,
  positionOf: () => undefined,
  records: (_partition, records) => records.length,
  crashed: () => undefined,
  assigned: () => undefined,
};

test('without fail-points the ports are the very same', () => {
  const { bare } = world();
  expect(withFailPoints(bare, [])).toBe(bare);
  expect(withFailPoints(bare, [])).toBe(bare);
});

test('a point acts at its time and at no other', async () => {
  const { ports, database, happened } = world([{ name: 'loaded', action: 'kill', nth: 2 }]);
  const page = () => ports.openRows.page('webhook', [{ shard: 0, afterWake: 0, afterId: 0 }], 1_000, 10);
  await page();
  const { shard } = database.insert({ dueAt: 500 });
  const full = () => ports.openRows.page('webhook', [{ shard, afterWake: 0, afterId: 0 }], 1_000, 10);
  await full();
  expect(happened).toEqual([]);
  await full();
  await full();
  expect(happened).toEqual(['loaded']);
});

describe('a point of several channels', () => {
  const of = ['webhook', 'second'];

  test('acts when each of them has come to it, and what one does next waits until then', async () => {
    const { ports, database, happened } = world([{ name: 'claim-committed', action: 'kill', nth: 1, of }]);
    const [first, second] = of.map((channel) => ports.sendRows(channel)) as [SendRows, SendRows];
    const ids = [1, 2, 3].map(() => database.insert({ dueAt: 0 }).id);
    const [a, b, c] = await first.read(ids, Number.POSITIVE_INFINITY);
    const heard: string[] = [];
    const claim = (rows: SendRows, name: string, row = a) =>
      void rows.claim(session, [row as SendRow], 0).then(() => heard.push(name));
    claim(first, 'first');
    await until('it is claimed', () => database.rows.get(ids[0] as number)?.state === 'sending');
    claim(first, 'next', b);
    await new Promise(setImmediate);
    expect([database.rows.get(ids[1] as number)?.state, happened, heard]).toEqual(['scheduled', [], []]);
    claim(second, 'second', c);
    await until('all have come', () => happened.length > 0);
    expect([happened, heard]).toEqual([['claim-committed'], ['second']]);
  });

  test('which has sent a request hears of no answer', async () => {
    const { ports, clock, channel: bare, happened } = world([{ name: 'request-sent', action: 'kill', nth: 1, of }]);
    const channel = ports.channels.get('webhook') as Channel;
    const attempt = { id: 1, account: 'a', dueAt: 0, inDoubt: false, idempotencyKey: 'key', now: () => 0 };
    let outcome: unknown;
    const prepared = channel.prepare('a', '{"url":"http://a.example/"}');
    void channel.send(prepared, { ...attempt, mayStart: () => true }).then((ended) => (outcome = ended));
    await clock.advance(bare.latency);
    expect([bare.accepted, outcome, happened]).toEqual([[1], undefined, []]);
  });

  test('at the spout waits for nothing, because a spout does one after the other', async () => {
    const { ports, log, happened } = world([{ name: 'emitted', action: 'kill', nth: 1, of }]);
    log.create('due.second', 1);
    for (const name of of) {
      await ports.streams.append(`due.${name}`, [{ partition: 0, value: Buffer.from('{}') }]);
      happened.push(name);
    }
    expect(happened).toEqual(['webhook', 'emitted', 'second']);
  });
});

test('a spout is given changes between two points', async () => {
  const { ports, happened } = world();
  await ports.streams.follow('due', 'schedule-changes', {
    ...listener,
    records(_partition, records) {
      happened.push('fed');
      return records.length;
    },
  });
  await ports.streams.append('schedule-changes', [{ partition: 0, value: Buffer.from('{}') }]);
  const places = happened.filter((what) => what !== 'emitted');
  expect(places).toEqual(['cdc-seen', 'fed', 'bucketed']);
});

test('emitted is before the answer, acknowledged after it', async () => {
  const { ports, happened } = world();
  await ports.streams.append('due.webhook', [{ partition: 0, value: Buffer.from('{}') }]);
  happened.push('answered');
  await until('it was acknowledged', () => happened.includes('acknowledged'));
  expect(happened).toEqual(['emitted', 'answered', 'acknowledged']);
});

test('an offset counts as committed when it has moved', async () => {
  const { ports, happened } = world();
  const member = await ports.streams.consume('webhook', 'due.webhook', listener);
  await member.commit([{ partition: 0, offset: 5 }]);
  await member.commit([{ partition: 0, offset: 5 }]);
  expect(happened).toEqual([]);
  await member.commit([{ partition: 0, offset: 6 }]);
  expect(happened).toEqual(['offset-committed']);
  await member.leave();
});

test('a bolt comes by its points in the order of the flow', async () => {
  const { ports, database, clock, channel: bare, happened } = world();
  const rows = ports.sendRows('webhook');
  const channel = ports.channels.get('webhook') as Channel;
  const { id } = database.insert({ dueAt: 0 });
  const read = await rows.read([id], Number.POSITIVE_INFINITY);
  happened.push('read');
  await until('it was prefetched', () => happened.includes('prefetched'));
  expect(await rows.claim(session, read, 0)).toBe(1);
  expect(await rows.claim(session, read, 0)).toBe(0);
  const attempt = { id, account: 'a', dueAt: 0, inDoubt: false, idempotencyKey: `downspout-${id}`, now: () => 0 };
  const prepared = channel.prepare('a', '{"url":"http://a.example/"}');
  const refused = await channel.send(prepared, { ...attempt, mayStart: () => false });
  expect(refused).toBe('not_started');
  const mayStart = () => {
    happened.push('asked');
    queueMicrotask(() => happened.push('tick over'));
    return true;
  };
  const sending = channel.send(prepared, { ...attempt, mayStart });
  await clock.advance(bare.latency);
  expect(await sending).toMatchObject({ kind: 'delivered' });
  happened.push('told');
  await rows.writeBack(session, [
    {
      id,
      version: 1,
      dueAt: 0,
      wakeAt: 0,
      contentHash: 'a'.repeat(64),
      startedAt: 0,
      finishedAt: 1,
      outcome: { kind: 'delivered', status: 200 },
      settlement: { state: 'delivered', deliveredAt: 1, receipt: null },
    },
  ]);
  expect(happened).toEqual([
    'read',
    'prefetched',
    'claim-committed',
    'asked',
    'tick over',
    'request-sent',
    'answer-received',
    'told',
    'written-back',
  ]);
});

test('ids that are kept are a place before the request, and those that are not are none', async () => {
  const { ports, database, happened } = world();
  const rows = ports.sendRows('webhook');
  const { id } = database.insert({ dueAt: 0 });
  const read = await rows.read([id], Number.POSITIVE_INFINITY);
  const kept = { ids: { container: '17' }, contentHash: 'a'.repeat(64) };
  expect(await rows.keep(session, { id, version: 1 }, kept)).toBe(false);
  expect(await rows.claim(session, read, 0)).toBe(1);
  expect(await rows.keep(session, { id, version: 1 }, kept)).toBe(true);
  expect(await rows.kept(id, 1)).toEqual(kept);
  expect(happened.filter((what) => what !== 'prefetched')).toEqual(['claim-committed', 'ids-kept']);
});

test('what is journaled is a place before its row is settled, and what is not is none', async () => {
  const { ports, database, happened } = world();
  const rows = ports.sendRows('webhook');
  const { id } = database.insert({ dueAt: 0 });
  const result = {
    id,
    version: 1,
    dueAt: 0,
    wakeAt: 0,
    contentHash: '?',
    startedAt: 0,
    finishedAt: 1,
    outcome: { kind: 'delivered' },
    settlement: { state: 'delivered', deliveredAt: 1, receipt: null },
  } as const;
  await expect(rows.journal(session, [result])).rejects.toThrow('cannot be written');
  expect(happened).toEqual([]);
  await rows.journal(session, [{ ...result, contentHash: 'a'.repeat(64) }]);
  expect(happened).toEqual(['journaled']);
});

test('what was made ready before the instant is a place, and what could not be kept is none', async () => {
  const { ports, database, clock, happened } = world();
  const { id, updatedAt } = database.insert({ dueAt: clock.now() + 5_000 });
  const row = { id, version: 1, updatedAt };
  const hash = 'a'.repeat(64);
  const { readyRows } = ports;
  expect(await readyRows.begin(row, hash)).toBe(true);
  const kept = { ids: { container: '17' }, contentHash: hash };
  expect(await readyRows.keep({ ...row, version: 2 }, kept)).toBe(false);
  expect(await readyRows.keep(row, kept)).toBe(true);
  const range = { from: 0, below: clock.now() + 9_000, after: new Map(), limit: 1 };
  expect(await readyRows.upcoming('webhook', range)).toMatchObject([{ id, version: 1 }]);
  expect(happened).toEqual(['made-ready']);
});

test('a claim before the instant is a place of its own', async () => {
  const { ports, database, clock, happened } = world();
  const rows = ports.sendRows('webhook');
  const { id } = database.insert({ dueAt: clock.now() + 50 });
  expect(await rows.claim(session, await rows.read([id], Number.POSITIVE_INFINITY), 50)).toBe(1);
  expect(happened.filter((name) => name.startsWith('claim'))).toEqual(['claim-committed-ahead']);
});

describe('fail-points', () => {
  it('are a name, an action and at which time, the first unless it is said', () => {
    expect(parseFailPoints('emitted:kill,claim-committed-ahead:stop:3')).toEqual([
      { name: 'emitted', action: 'kill', nth: 1 },
      { name: 'claim-committed-ahead', action: 'stop', nth: 3 },
    ]);
    expect(parseFailPoints('request-sent:kill:1:x+mastodon')).toEqual([
      { name: 'request-sent', action: 'kill', nth: 1, of: ['x', 'mastodon'] },
    ]);
    expect(parseFailPoints(undefined)).toEqual([]);
  });

  it.each([
    ['somewhere:kill', /DOWNSPOUT_FAIL_POINTS: .*"cdc-seen"\|.*"written-back".*\(it is "somewhere:kill"\)/],
    ['emitted:maim', /"kill"\|"stop"/],
    ['emitted', /"kill"\|"stop"/],
    ['emitted:kill:0', /DOWNSPOUT_FAIL_POINTS/],
    ['emitted:kill:1:2', /names of channels with \+ between them/],
    ['emitted:kill:1:x:y', /names of channels with \+ between them/],
    ['emitted:kill,', /DOWNSPOUT_FAIL_POINTS/],
  ])('refuse %s', (text, message) => {
    expect(() => parseFailPoints(text)).toThrow(UserError);
    expect(() => parseFailPoints(text)).toThrow(message);
  });
});

test('a channel refreshes credentials with fail-points too', () => {
  const { channel, bare } = world();
  const refresh = { isRotating: true, ask: () => Promise.reject(new Error('of a test')) };
  const channels = new Map([['webhook', Object.assign(channel, { refresh }) as Channel]]);
  const point = { name: 'request-sent', action: 'kill', nth: 1 } as const;
  const ports = withFailPoints({ ...bare, channels }, [point], () => undefined);
  expect(ports.channels.get('webhook')?.refresh).toBe(refresh);
});
