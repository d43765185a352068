import { hostname } from 'node:os';
import { Unavailable } from '../../../topology/core/errors';
import type { Emit } from '../../../topology/core/spout';
import type { Gauges } from '../../../topology/gauges';
import { Metrics } from '../../../topology/runtime/metrics';
import {
  type Observer,
  observedBolt,
  observedEmit,
  observedSpout,
  observedStreams,
} from '../../../topology/runtime/observe';
import { Seldom } from '../../../topology/runtime/seldom';
import { StatusServer } from '../../../topology/runtime/status-server';
import { due } from '../../../topology/streams';
import { MemoryLog } from '../../support/kafka/memory-log';
import { MemoryStreams } from '../../support/kafka/memory-streams';
import { ManualClock, settled } from '../../support/manual-clock';
import { memorySink } from './memory-sink';
import { changeOf, dueOf, ScriptedBolt, ScriptedSpout } from './scripted-parts';

/** A number in letters. */
const wordOf = (index: number) => String(index).replace(/\d/g, (digit) => 'abcdefghij'[Number(digit)] as string);
const tuple = <T>(value: T) => ({ stream: 's', partition: 0, offset: 1, timestamp: 0, value });

describe('observation', () => {
  let clock: ManualClock;
  let observer: Observer;
  let sink: ReturnType<typeof memorySink>;

  beforeEach(() => {
    clock = new ManualClock();
    sink = memorySink();
    observer = { metrics: new Metrics(), log: sink.log, clock };
  });

  const figures = async () => {
    const lines = (await observer.metrics.text()).split('\n').filter((line) => line.startsWith('downspout_'));
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
    );
  };

  it('counts what a bolt is given and changes nothing else', async () => {
    const bolt = new ScriptedBolt();
    const observed = observedBolt('webhook', bolt, observer);
    await observed.open();
    const delivery = { tuple: tuple(dueOf(1)), ack: () => undefined };
    observed.execute([delivery, delivery]);
    bolt.room = 0;
    observed.revoked([3]);
    expect(observed.hasRoom()).toBe(false);
    expect(observed.gauges()).toEqual({ held: 2 });
    await observed.drain();
    await observed.close();
    expect(bolt.given).toEqual([delivery, delivery]);
    expect(bolt.revocations).toEqual([[3]]);
    expect(bolt.calls).toEqual(['open', 'drain', 'drained', 'close']);
    expect(await figures()).toMatchObject({ 'downspout_received_total{component="webhook"}': 2 });
  });

  it('counts what a spout is fed and changes nothing else', async () => {
    const spout = new ScriptedSpout();
    const observed = observedSpout('due', spout, observer);
    await observed.open();
    observed.assigned({ partitions: [1], of: 2 });
    observed.feed([tuple(changeOf(1))]);
    await observed.close();
    expect(spout.assignments).toEqual([{ partitions: [1], of: 2 }]);
    expect(observed.gauges()).toEqual({ 'pending.webhook': 1 });
    expect(spout.calls).toEqual(['open', 'close']);
    expect(await figures()).toMatchObject({ 'downspout_received_total{component="due"}': 1 });
  });

  it('counts what is emitted, how long it took, and what was not confirmed', async () => {
    const emit: Emit = async () => {
      await clock.sleep(5);
      return [{ partition: 0, offset: 1 }];
    };
    const emitting = observedEmit(emit, observer)(due('webhook'), [dueOf(1), dueOf(2)]);
    await clock.advance(5);
    expect(await emitting).toEqual([{ partition: 0, offset: 1 }]);
    const failing = observedEmit(() => Promise.reject(new Unavailable('away')), observer);
    await expect(failing(due('webhook'), [dueOf(1)])).rejects.toThrow(Unavailable);
    expect(await figures()).toMatchObject({
      'downspout_emitted_total{stream="due.webhook"}': 2,
      'downspout_emit_failures_total{stream="due.webhook"}': 1,
      'downspout_emit_seconds_sum{stream="due.webhook"}': 0.005,
    });
  });

  it('tells of assignments and counts commits that fail', async () => {
    const log = new MemoryLog(clock);
    log.create('a', 2);
    const streams = new MemoryStreams(log);
    const refusing = Object.assign(streams.another(), {
      consume: async (...of: Parameters<MemoryStreams['consume']>) => {
        const member = await streams.consume(...of);
        member.commit = () => Promise.reject(new Unavailable('away'));
        return member;
      },
    });
    const listener = {
      rebalancing: () => undefined,
      positionOf: () => undefined,
      assigned: () => undefined,
      records: () => 0,
      crashed: () => undefined,
    };
    const member = await observedStreams(refusing, observer).consume('webhook', 'a', listener);
    await expect(member.commit([])).rejects.toThrow(Unavailable);
    await member.leave();
    expect(sink.entries()).toEqual([
      expect.objectContaining({ component: 'webhook', partitions: [0, 1], msg: 'partitions assigned' }),
    ]);
    expect(await figures()).toMatchObject({
      'downspout_assignments_total{component="webhook"}': 1,
      'downspout_commit_failures_total{component="webhook"}': 1,
    });
  });

  it('shows the figures of parts, with the channel as a label, and none that are gone', async () => {
    const now: { figures: Gauges } = { figures: { 'pending.webhook': 3, 'pending.x': 4, held: 5 } };
    observer.metrics.watch('due', () => now.figures);
    expect(await figures()).toMatchObject({
      'downspout_pending{component="due",channel="webhook"}': 3,
      'downspout_pending{component="due",channel="x"}': 4,
      'downspout_held{component="due"}': 5,
    });
    now.figures = { held: 6 };
    const later = await figures();
    expect(later).toMatchObject({ 'downspout_held{component="due"}': 6 });
    expect(later).not.toHaveProperty(['downspout_pending{component="due",channel="x"}']);
  });

  it('1. A kind of line is written once a second, and says for how many others it stands.', async () => {
    const seldom = new Seldom(clock);
    const said: number[] = [];
    for (let round = 0; round < 3; round++) {
      for (let time = 0; time < 1_000; time++) seldom.say('a', (leftOut) => said.push(leftOut));
      seldom.say('b', () => undefined);
      await clock.advance(1_000);
    }
    expect(said).toEqual([0, 999, 999]);
  });

  it('2. Lines that differ only in their numbers are of one kind.', async () => {
    const seldom = new Seldom(clock);
    const said: number[] = [];
    for (let id = 0; id < 1_000; id++) seldom.say(`send message ${id}: lost`, (leftOut) => said.push(leftOut));
    await clock.advance(1_000);
    seldom.say('send message 7: lost', (leftOut) => said.push(leftOut));
    expect(said).toEqual([0, 999]);
  });

  it('3. At most some hundred lines are written a second, and memory is bounded, whatever the kinds are.', async () => {
    const seldom = new Seldom(clock);
    let lines = 0;
    const round = () => {
      for (let index = 0; index < 5_000; index++) seldom.say(`account ${wordOf(index)}`, () => lines++);
    };
    round();
    expect(lines).toBe(101);
    await clock.advance(1_000);
    round();
    expect(lines).toBe(202);
  });

  it('logs of an error what helps, and not the statement that failed', () => {
    const cause = Object.assign(new Error('Data too long'), { sql: 'INSERT secret', errno: 1406, code: 'ER_LONG' });
    sink.log.fatal({ err: new Error('ending', { cause }) }, 'ending');
    const [entry] = sink.entries();
    expect(entry?.['err']).toMatchObject({
      type: 'Error',
      message: 'ending',
      stack: expect.stringContaining('observe.test'),
      cause: { message: 'Data too long', errno: 1406, code: 'ER_LONG' },
    });
    expect(JSON.stringify(entry)).not.toContain('secret');
  });

  it('logs JSON lines, and lines for a person', () => {
    sink.log.child({ component: 'webhook', task: 'webhook@ab' }).info({ message: 7 }, 'not delivered');
    const [entry] = sink.entries();
    expect(entry).toMatchObject({ component: 'webhook', task: 'webhook@ab', message: 7, msg: 'not delivered' });
    expect(Date.parse(String(entry?.['time']))).toBeGreaterThan(0);
    const { log, lines } = memorySink('info', true);
    log.info({ component: 'due' }, 'running');
    log.debug('not said');
    expect(lines.join('')).toContain('running');
    expect(lines.join('')).not.toContain('not said');
  });
});

describe('StatusServer', () => {
  it.each(['0.0.0.0', '::'])('that listens on every address (%s) is shown by the name of its machine', async (host) => {
    const server = await StatusServer.start({
      host,
      port: 0,
      status: () => ({ session: 's', release: 3, reasons: [], partitions: {} }),
      metrics: async () => '',
    });
    try {
      expect(server.url).toMatch(new RegExp(`^http://${hostname()}:\\d+$`));
    } finally {
      await server.close();
    }
  });

  it('serves health, readiness and metrics on a free port', async () => {
    const reasons: string[] = ['starting'];
    const server = await StatusServer.start({
      host: '127.0.0.1',
      port: 0,
      status: () => ({ session: 's', release: 3, reasons, partitions: { due: [1] } }),
      metrics: async () => 'a_metric 1\n',
    });
    try {
      expect(await (await fetch(`${server.url}/metrics`)).text()).toBe('a_metric 1\n');
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
      const starting = await fetch(`${server.url}/readyz?verbose`);
      expect([starting.status, await starting.json()]).toEqual([
        503,
        { session: 's', release: 3, reasons: ['starting'], partitions: { due: [1] } },
      ]);
      reasons.length = 0;
      expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
      expect((await fetch(`${server.url}/`)).status).toBe(404);
      const port = Number(new URL(server.url).port);
      const again = StatusServer.start({
        host: '127.0.0.1',
        port,
        status: () => ({ session: 's', release: 3, reasons, partitions: {} }),
        metrics: async () => '',
      });
      await expect(again).rejects.toThrow('The status port cannot be opened');
    } finally {
      await server.close();
    }
    await settled();
  });
});
