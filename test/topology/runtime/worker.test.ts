import { changeEventCodec } from '../../../connectors/debezium/change-event';
import { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { Pool } from '../../../connectors/mysql/sql/pool';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { fieldsGrouping } from '../../../topology/core/grouping';
import { PAUSES_KNOWN_MS } from '../../../topology/core/pauses';
import { type BoltContext, type SpoutContext, TopologyBuilder } from '../../../topology/core/topology';
import { Metrics } from '../../../topology/runtime/metrics';
import { Worker } from '../../../topology/runtime/worker';
import { due, scheduleChanges } from '../../../topology/streams';
import { MemoryLog } from '../../support/kafka/memory-log';
import { MemoryStreams } from '../../support/kafka/memory-streams';
import { ManualClock, settled } from '../../support/manual-clock';
import { MemoryDatabase } from '../../support/mysql/memory-database';
import { SilentPort } from '../../support/silent-port';
import { until } from '../../support/until';
import { memorySink } from './memory-sink';
import { changeOf, dueOf, ScriptedBolt, ScriptedSpout } from './scripted-parts';

const LIMIT = 12_000;
/** What a part that does not answer promises. */
const forever = new Promise<never>(() => undefined);
const session = 'cd'.repeat(16);

describe('Worker', () => {
  let clock: ManualClock;
  let database: MemoryDatabase;
  let log: MemoryLog;
  let streams: MemoryStreams;
  let spout: ScriptedSpout;
  let bolt: ScriptedBolt;
  let contexts: { spout?: SpoutContext; bolt?: BoltContext };
  let sink: ReturnType<typeof memorySink>;
  let metrics: Metrics;
  let code: number | undefined;
  let mayRun: (() => Promise<void>) | undefined;

  beforeEach(() => {
    clock = new ManualClock();
    database = new MemoryDatabase(clock);
    log = new MemoryLog(clock);
    log.create('schedule-changes', 2);
    log.create('due.webhook', 2);
    streams = new MemoryStreams(log);
    spout = new ScriptedSpout();
    bolt = new ScriptedBolt();
    contexts = {};
    sink = memorySink('info');
    metrics = new Metrics();
    code = undefined;
    mayRun = undefined;
  });

  function create(components: readonly string[] = ['due', 'webhook']): Worker {
    const topology = new TopologyBuilder()
      .spout('due', {
        feed: scheduleChanges(changeEventCodec),
        emits: [due('webhook')],
        create: (context) => {
          contexts.spout = context;
          return spout;
        },
      })
      .bolt('webhook', {
        reads: due('webhook'),
        grouping: fieldsGrouping('account'),
        create: (context) => {
          contexts.bolt = context;
          return bolt;
        },
      })
      .build();
    const identity = { session, components, host: 'h', pid: 1, version: '0', statusUrl: null };
    const registry = database.registry();
    const options = { topology, identity, streams, registry, clock, log: sink.log, metrics, drainLimitMs: LIMIT };
    return new Worker({ ...options, ...(mayRun === undefined ? {} : { mayRun }) });
  }

  async function run(worker = create()): Promise<Worker> {
    void worker.run().then((ended) => {
      code = ended;
    });
    await settled();
    return worker;
  }

  async function stop(worker: Worker): Promise<void> {
    worker.stop();
    await clock.advance(0);
  }

  it('runs a spout and a bolt, and reports to the registry what they own', async () => {
    const worker = await run();
    expect(worker.status()).toEqual({
      session,
      release: null,
      reasons: [],
      partitions: { due: [0, 1], webhook: [0, 1] },
    });
    const placements = await contexts.spout?.emit(due('webhook'), [dueOf(7)]);
    await settled();
    expect(bolt.ids()).toEqual([7]);
    expect(placements).toHaveLength(1);
    await streams.append('schedule-changes', [{ partition: 1, value: changeEventCodec.encode(changeOf(3)) }]);
    await settled();
    expect(spout.changes.map(({ value }) => value.id)).toEqual([3]);
    expect(database.workers.get(session)?.report?.partitions).toEqual({ due: [0, 1], webhook: [0, 1] });
    expect(contexts.bolt?.lease.holds()).toBe(true);
    await stop(worker);
    expect(code).toBe(0);
    expect(clock.timers).toBe(0);
  });

  it('1. It ends with a code that is not 0 when it cannot go on: its session was marked dead.', async () => {
    await run();
    Object.assign(database.workers.get(session) ?? {}, { dead: true });
    await clock.advance(4_500);
    expect(code).toBe(1);
    expect(contexts.bolt?.lease.holds()).toBe(false);
    expect(sink.entries().find(({ level }) => level === 60)?.msg).toContain('marked dead');
    expect(clock.timers).toBe(0);
  });

  it('1. It ends with a code that is not 0 when it cannot go on: a consumer is out of its group for good.', async () => {
    const crash: { now?: (error: unknown) => void } = {};
    const real = streams.another();
    streams.consume = (component, stream, listener) => {
      crash.now = listener.crashed;
      return real.consume(component, stream, listener);
    };
    await run();
    crash.now?.(new Error('consumer of due.webhook: gone'));
    await clock.advance(0);
    expect(code).toBe(1);
    expect(sink.entries().find(({ level }) => level === 60)?.msg).toBe('ending: consumer of due.webhook: gone');
  });

  it('1. It ends with a code that is not 0 when it cannot go on: a bug showed. A part that is away is waited for.', async () => {
    await run();
    contexts.spout?.onError(new Unavailable('MySQL does not answer'));
    contexts.spout?.onError(new Unavailable('MySQL does not answer'));
    await clock.advance(60_000);
    expect(code).toBeUndefined();
    expect(await metrics.text()).toContain('downspout_unavailable_total{component="due"} 2');
    contexts.bolt?.onError(new TypeError('x is not a function'));
    await clock.advance(0);
    expect(code).toBe(1);
    const fatal = sink.entries().find(({ level }) => level === 60);
    expect(fatal).toMatchObject({ msg: 'ending: x is not a function', err: { type: 'TypeError' } });
  });

  it('4. A part of the stack that is away is waited for, at the start too: MySQL.', async () => {
    database.before = () => {
      throw new Unavailable('MySQL does not answer');
    };
    const worker = await run();
    await clock.advance(60_000);
    expect(code).toBeUndefined();
    expect(worker.status().reasons).toEqual(['starting', 'session waits: MySQL does not answer']);
    database.before = () => undefined;
    await clock.advance(2_000);
    expect(worker.status()).toMatchObject({ reasons: [], partitions: { due: [0, 1], webhook: [0, 1] } });
    await stop(worker);
    expect(code).toBe(0);
  });

  it('4. A part of the stack that is away is waited for, at the start too: Kafka, for each component.', async () => {
    const real = streams.another();
    let tries = 0;
    streams.consume = async (component, stream, listener) => {
      if (tries++ < 3) throw new Unavailable('Kafka: no broker answers');
      return real.consume(component, stream, listener);
    };
    const worker = await run();
    expect(worker.status()).toMatchObject({
      reasons: ['starting', 'webhook waits: Kafka: no broker answers'],
      partitions: { due: [0, 1], webhook: [] },
    });
    await clock.advance(5_000);
    expect(worker.status()).toMatchObject({ reasons: [], partitions: { webhook: [0, 1] } });
    expect(bolt.calls).toEqual(['open']);
    await stop(worker);
    expect(code).toBe(0);
  });

  it('4. A part of the stack that is away is waited for, at the start too, and the wait ends with `stop`.', async () => {
    database.before = () => {
      throw new Unavailable('MySQL does not answer');
    };
    const worker = await run();
    await clock.advance(10_000);
    await stop(worker);
    expect(code).toBe(0);
    expect(clock.timers).toBe(0);
  });

  it('registers nothing before it knows that it may run', async () => {
    let answer: Error = new Unavailable('Kafka does not answer');
    mayRun = () => Promise.reject(answer);
    const worker = await run();
    await clock.advance(5_000);
    expect(worker.status().reasons).toEqual(['starting', 'worker waits: Kafka does not answer']);
    answer = new UserError('the database belongs to another Kafka');
    await clock.advance(2_000);
    expect(code).toBe(1);
    expect(database.workers.size).toBe(0);
    expect(sink.entries().find(({ level }) => level === 60)?.msg).toBe('ending: the database belongs to another Kafka');
  });

  it('2. After `stop` it takes nothing new, finishes what is claimed, commits, leaves the groups and then the registry.', async () => {
    bolt.slow = true;
    const worker = await run();
    await contexts.spout?.emit(due('webhook'), [dueOf(1)]);
    await settled();
    worker.stop();
    await settled();
    expect(worker.status().reasons).toEqual(['stopping']);
    await streams.append('due.webhook', [{ partition: 0, value: due('webhook').codec.encode(dueOf(2)) }]);
    await settled();
    expect(bolt.ids()).toEqual([1]);
    bolt.given[0]?.ack();
    await clock.advance(1_000);
    const partition = bolt.given[0]?.tuple.partition as number;
    expect(log.committedOf('webhook', 'due.webhook', partition)).toBe(1);
    // The request is still in flight: the lease is renewed.
    await clock.advance(8_000);
    expect(code).toBeUndefined();
    expect(contexts.bolt?.lease.holds()).toBe(true);
    expect(database.workers.get(session)?.dead).toBe(false);
    bolt.finish();
    await clock.advance(0);
    expect(code).toBe(0);
    expect(database.workers.get(session)?.dead).toBe(true);
    expect([spout.calls, bolt.calls]).toEqual([
      ['open', 'close'],
      ['open', 'drain', 'drained', 'close'],
    ]);
  });

  it('2. After `stop` it takes nothing new, although its spout is still joining a group that does not answer.', async () => {
    streams.follow = () => forever;
    const worker = await run();
    const emit = (id: number) =>
      streams.append('due.webhook', [{ partition: 0, value: due('webhook').codec.encode(dueOf(id)) }]);
    await emit(1);
    await settled();
    expect(bolt.ids()).toEqual([1]);
    await stop(worker);
    await clock.advance(2_500);
    await emit(2);
    await settled();
    await clock.advance(100);
    expect(bolt.ids()).toEqual([1]);
    await clock.advance(LIMIT);
  });

  it('3. Ending takes the limit at most; what is not finished then keeps its lease, so its rows are recovered when that is out.', async () => {
    bolt.slow = true;
    const worker = await run();
    worker.stop();
    await clock.advance(LIMIT - 1);
    expect(code).toBeUndefined();
    await clock.advance(1);
    expect(code).toBe(1);
    expect(database.workers.get(session)?.dead).toBe(false);
    bolt.finish();
    await clock.advance(0);
  });

  it('3. Ending takes the limit at most; what is not finished then keeps its lease. The log says what was left, and the code is 1.', async () => {
    bolt.slow = true;
    const worker = await run();
    worker.stop();
    await clock.advance(LIMIT);
    expect(code).toBe(1);
    const left = ['webhook: finishing what it has claimed'];
    expect(sink.entries().at(-2)).toMatchObject({ level: 50, msg: 'not drained within the limit', left });
  });

  it('3. What hangs is given up before the limit, so that the rest is done: a group that cannot be left keeps nobody registered.', async () => {
    const real = streams.another();
    streams.consume = async (...of) => Object.assign(await real.consume(...of), { leave: () => forever });
    const worker = await run();
    worker.stop();
    await clock.advance(4_000);
    expect(code).toBe(1);
    expect(database.workers.get(session)?.dead).toBe(true);
    expect(sink.entries().at(-2)).toMatchObject({ level: 50, left: ['webhook: leaving its group'] });
    expect(clock.timers).toBe(0);
  });

  it('3. What hangs is given up before the limit: a port that takes connections and never answers, of Kafka.', async () => {
    const port = await SilentPort.open();
    const brokers = [port.address];
    const admin = new KafkaAdmin(kafkaClient({ brokers, clientId: 'test', log: () => undefined }));
    const asked: Promise<unknown>[] = [];
    spout = Object.assign(new ScriptedSpout(), {
      close: async () => {
        asked.push(admin.clusterId().catch(() => undefined));
        await Promise.all(asked);
      },
    });
    const worker = await run();
    worker.stop();
    await until('it is asked', async () => {
      await clock.advance(0);
      return port.connections > 0;
    });
    await clock.advance(LIMIT / 2);
    expect(code).toBe(1);
    expect(sink.entries().at(-2)).toMatchObject({ left: ['due: finishing what it reads and emits'] });
    expect(database.workers.get(session)?.dead).toBe(true);
    await port.close();
    await Promise.all(asked);
    await admin.close().catch(() => undefined);
  });

  it('3. What hangs is given up before the limit: a port that takes connections and never answers, of MySQL, also at the start.', async () => {
    const port = await SilentPort.open();
    const pool = Pool.open(`mysql://worker:secret@${port.address}/downspout`, { clock, size: 1 });
    const asked: Promise<unknown>[] = [];
    mayRun = async () => {
      asked.push(pool.rows('SELECT 1').catch(() => undefined));
      await Promise.all(asked);
    };
    const worker = await run();
    await until('it is asked', () => port.connections > 0);
    worker.stop();
    await clock.advance(3_000);
    expect(code).toBe(1);
    expect(sink.entries().at(-2)).toMatchObject({ left: ['worker: starting'] });
    await port.close();
    await Promise.all(asked);
    await pool.close();
  });

  it('5. When its lease has been out for long, its partitions move to workers that can do the work, and it joins again when it holds.', async () => {
    const worker = await run();
    database.before = () => {
      throw new Unavailable('MySQL does not answer');
    };
    // An outage that passes quickly costs no rebalance.
    await clock.advance(17_000);
    expect(worker.status().partitions).toEqual({ due: [0, 1], webhook: [0, 1] });
    await clock.advance(10_000);
    expect(worker.status()).toMatchObject({
      reasons: ['the lease is out: MySQL does not answer'],
      partitions: { due: [], webhook: [] },
    });
    expect(code).toBeUndefined();
    database.before = () => undefined;
    await clock.advance(3_000);
    expect(worker.status()).toMatchObject({ reasons: [], partitions: { due: [0, 1], webhook: [0, 1] } });
    await contexts.spout?.emit(due('webhook'), [dueOf(7)]);
    await settled();
    expect(bolt.ids()).toEqual([7]);
    await stop(worker);
    expect(code).toBe(0);
    expect(clock.timers).toBe(0);
  });

  it.each([
    [
      'says that its spout emits nothing',
      ['due', 'webhook'],
      ['what is paused is not known: the database does not answer in time'],
    ],
    ['is ready where it has no spout, because bolts send what was emitted,', ['webhook'], []],
  ])('%s while it does not know what is paused and its lease holds', async (_, components, reasons) => {
    const worker = await run(create(components));
    database.before = (operation) => (operation === 'pulse' ? clock.sleep(PAUSES_KNOWN_MS) : undefined);
    await clock.advance(10_000);
    expect(contexts.bolt?.lease.holds()).toBe(true);
    expect(worker.status().reasons).toEqual(reasons);
    await stop(worker);
    await clock.advance(PAUSES_KNOWN_MS);
    expect(code).toBe(0);
  });

  it('stops in good order while its lease is out and it has left', async () => {
    const worker = await run();
    database.before = () => {
      throw new Unavailable('MySQL does not answer');
    };
    await clock.advance(40_000);
    expect(worker.status().partitions).toEqual({ due: [], webhook: [] });
    await stop(worker);
    await clock.advance(LIMIT);
    expect(bolt.calls).toEqual(['open', 'drain', 'drained', 'close']);
    expect(clock.timers).toBe(0);
  });

  it('stops in good order while it is still starting', async () => {
    database.before = (operation) => (operation === 'register' ? clock.sleep(2_000) : undefined);
    const worker = await run();
    expect(worker.status().reasons).toContain('starting');
    await stop(worker);
    await clock.advance(3_000);
    expect(code).toBe(0);
    expect(clock.timers).toBe(0);
  });

  it('counts bad records and logs them seldom', async () => {
    const worker = await run();
    const bad = { partition: 0, value: Buffer.from('garbage') };
    await streams.append('due.webhook', [bad, bad, bad]);
    await settled();
    expect(await metrics.text()).toContain('downspout_bad_records_total{stream="due.webhook"} 3');
    expect(sink.entries().filter(({ msg }) => msg === 'bad record skipped')).toEqual([
      expect.objectContaining({ stream: 'due.webhook', partition: 0, offset: 0, reason: 'not JSON', leftOut: 0 }),
    ]);
    await stop(worker);
  });

  it('refuses a component that the topology does not have', () => {
    expect(() => create(['due', 'nix'])).toThrow(
      new UserError('There is no component "nix". topology.yaml has: due, webhook.'),
    );
  });
});
