import { Unavailable } from '../../../topology/core/errors';
import { BoltTask } from '../../../topology/runtime/bolt-task';
import { decode, type SkippedRecord } from '../../../topology/runtime/decode';
import { Ending } from '../../../topology/runtime/ending';
import { type Due, due } from '../../../topology/streams';
import { MemoryLog } from '../../support/kafka/memory-log';
import { MemoryStreams } from '../../support/kafka/memory-streams';
import { ManualClock, settled } from '../../support/manual-clock';
import { dueOf, ScriptedBolt } from './scripted-parts';

const stream = due('webhook');

describe('BoltTask', () => {
  let clock: ManualClock;
  let log: MemoryLog;
  let streams: MemoryStreams;
  let skipped: SkippedRecord[];
  let errors: unknown[];
  const tasks: BoltTask<Due>[] = [];

  beforeEach(() => {
    clock = new ManualClock();
    log = new MemoryLog(clock);
    log.create(stream.name, 2);
    streams = new MemoryStreams(log);
    skipped = [];
    errors = [];
  });

  afterEach(async () => {
    for (const task of tasks.splice(0)) await task.stop(ending());
    if (clock.timers > 0) throw new Error('a timer was left');
  });

  const onSkip = (one: SkippedRecord) => void skipped.push(one);
  const onError = (error: unknown) => void errors.push(error);
  const ending = () => new Ending(clock, onError);

  async function run(bolt: ScriptedBolt, on = streams): Promise<BoltTask<Due>> {
    const part = { name: 'webhook', reads: stream };
    const task = new BoltTask({ part, bolt, streams: on, clock, onSkip, onError });
    tasks.push(task);
    await task.open();
    await settled();
    return task;
  }

  async function append(ids: readonly number[], partition = 0): Promise<void> {
    await streams.append(
      stream.name,
      ids.map((id) => ({ partition, value: stream.codec.encode(dueOf(id)) })),
    );
    await settled();
  }

  const committed = (partition = 0) => log.committedOf('webhook', stream.name, partition);

  it("1. A tuple's offset is committed only after its ack.", async () => {
    const bolt = new ScriptedBolt();
    await run(bolt);
    await append([1, 2, 3]);
    expect(bolt.ids()).toEqual([1, 2, 3]);
    bolt.given[1]?.ack();
    await clock.advance(500);
    expect(committed()).toBe(0);
    bolt.given[0]?.ack();
    await clock.advance(500);
    expect(committed()).toBe(2);
    bolt.given[2]?.ack();
    await clock.advance(500);
    expect(committed()).toBe(3);
  });

  it('reads what a spout of the next version emits; what only that version reads is skipped, reported and acked', async () => {
    const bolt = new ScriptedBolt();
    bolt.quick = true;
    await run(bolt);
    const next = [{ v: 2, urgent: true }, { v: 3, least: 2, wakeAt: '+5' }, {}].map((more, index) =>
      Buffer.from(JSON.stringify({ ...dueOf(index + 1), ...more })),
    );
    await streams.append(
      stream.name,
      next.map((value) => ({ partition: 0, value })),
    );
    await settled();
    await clock.advance(500);
    expect(bolt.ids()).toEqual([1, 3]);
    expect(skipped.map(({ offset }) => offset)).toEqual([1]);
    expect(skipped[0]?.reason).toMatch(/^schema 3: it is read from schema 2 on/);
    // The spout sees the ack, finds by reconciling that the row still waits, and emits it again.
    expect(committed()).toBe(3);
  });

  it('2. A bad record is skipped and reported; its neighbours are delivered.', async () => {
    const bolt = new ScriptedBolt();
    bolt.quick = true;
    await run(bolt);
    await append([1]);
    const garbage = ['not JSON', '[]', '{"id":"x"}', '"'.repeat(1_000_000), ''].map((text) => Buffer.from(text));
    await streams.append(
      stream.name,
      garbage.map((value) => ({ partition: 0, value })),
    );
    await append([2]);
    await clock.advance(500);
    expect(bolt.ids()).toEqual([1, 2]);
    expect(skipped.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5]);
    expect(skipped[0]).toEqual({ stream: stream.name, partition: 0, offset: 1, reason: 'not JSON' });
    expect(committed()).toBe(7);
    expect(errors).toEqual([]);
  });

  it('2. A bad record is skipped and reported, also one that stands for a batch which the log cannot read.', () => {
    const record = { offset: 12, timestamp: 0, value: null, unreadable: 'a batch that cannot be read: no codec' };
    expect(decode(due('webhook'), 3, record, (one) => skipped.push(one))).toBeUndefined();
    expect(skipped).toEqual([{ stream: 'due.webhook', partition: 3, offset: 12, reason: record.unreadable }]);
  });

  it('3. A bolt without room is given nothing more until it has some.', async () => {
    const bolt = new ScriptedBolt();
    bolt.room = 1;
    const task = await run(bolt);
    await append(Array.from({ length: 1_200 }, (_, index) => index + 1));
    expect(bolt.given).toHaveLength(500);
    await append([9_999], 1);
    await clock.advance(1_000);
    expect(bolt.given).toHaveLength(500);
    expect(task.gauges()['full']).toBe(1);
    bolt.room = 100_000;
    await clock.advance(100);
    expect(bolt.given).toHaveLength(1_201);
    expect(task.gauges()).toMatchObject({ full: 0, held: 1_201, uncommitted: 1_201 });
  });

  it('4. What is acked is committed on a rebalance and before the group is left.', async () => {
    const bolt = new ScriptedBolt();
    bolt.quick = true;
    const task = await run(bolt);
    await append([1, 2]);
    const other = new ScriptedBolt();
    const second = await run(other, streams.another());
    await settled();
    expect(committed()).toBe(2);
    expect(bolt.revocations).toEqual([[1]]);
    await append([3]);
    await task.stop(ending());
    expect(committed()).toBe(3);
    await append([4]);
    expect(other.ids()).toEqual([4]);
    expect(second.partitions).toEqual([0, 1]);
  });

  it.each([
    [400, 400],
    [2_000, 1_000],
  ])(
    '5. Stopping hands the partitions over once nothing that was claimed waits for room (%i ms: after %i ms)',
    async (begunAfterMs, handedOverAfterMs) => {
      const bolt = new ScriptedBolt();
      bolt.slow = true;
      const task = await run(bolt);
      await append([1, 2]);
      const other = new ScriptedBolt();
      await run(other, streams.another());
      let stopped = false;
      const stopping = task.stop(ending()).then(() => {
        stopped = true;
      });
      const begun = clock.after(begunAfterMs, () => bolt.begun());
      await settled();
      await append([3]);
      expect(bolt.ids()).not.toContain(3);
      await clock.advance(handedOverAfterMs - 1);
      expect(other.ids()).toEqual([]);
      await clock.advance(1);
      await settled();
      expect(other.ids()).toEqual([1, 2, 3]);
      expect(stopped).toBe(false);
      expect(bolt.calls).toEqual(['open', 'drain']);
      bolt.finish();
      await stopping;
      expect(bolt.calls).toEqual(['open', 'drain', 'drained', 'close']);
      begun.cancel();
      tasks.shift();
    },
  );

  it('6. After it has left, it holds nothing of its partitions, and begins with what is committed when it joins again.', async () => {
    const bolt = new ScriptedBolt();
    const task = await run(bolt);
    await append([1, 2]);
    bolt.given[0]?.ack();
    const other = new ScriptedBolt();
    await task.leave();
    expect(bolt.revocations).toEqual([[0, 1]]);
    expect(task.partitions).toEqual([]);
    const second = await run(other, streams.another());
    expect(other.ids()).toEqual([2]);
    await append([3]);
    expect(bolt.ids()).toEqual([1, 2]);
    other.given[0]?.ack();
    await second.stop(ending());
    tasks.pop();
    await task.open();
    await settled();
    expect(bolt.calls).toEqual(['open']);
    expect(bolt.ids()).toEqual([1, 2, 3]);
    bolt.given[2]?.ack();
    await clock.advance(500);
    expect(committed()).toBe(3);
  });

  it('commits again when the log was away', async () => {
    const bolt = new ScriptedBolt();
    bolt.quick = true;
    let away = true;
    const consume: MemoryStreams['consume'] = async (...of) => {
      const member = await streams.consume(...of);
      const commit: typeof member.commit = async (positions) => {
        if (away) throw new Unavailable('away');
        await member.commit(positions);
      };
      return { pause: () => member.pause(), resume: () => member.resume(), leave: () => member.leave(), commit };
    };
    await run(bolt, Object.assign(streams.another(), { consume }));
    await append([1]);
    await clock.advance(600);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.every((error) => error instanceof Unavailable)).toBe(true);
    away = false;
    await clock.advance(300);
    expect(committed()).toBe(1);
  });

  it('commits a mark that has not moved again after a while: a topic that is deleted takes its commits with it', async () => {
    const bolt = new ScriptedBolt();
    await run(bolt);
    await append([1]);
    bolt.given[0]?.ack();
    await clock.advance(300);
    expect(committed()).toBe(1);
    log.create(stream.name, 2);
    expect(committed()).toBe(-1);
    await clock.advance(10_500);
    expect(committed()).toBe(1);
  });

  it('hands a bug of the bolt on, and nothing is thrown into the consumer', async () => {
    const bolt = Object.assign(new ScriptedBolt(), {
      execute: () => {
        throw new Unavailable('thrown where nothing may be thrown');
      },
    });
    await run(bolt);
    await append([1]);
    expect(errors).toEqual([new Error('thrown where nothing may be thrown')]);
    expect(errors[0]).not.toBeInstanceOf(Unavailable);
  });

  describe('7. A part that hangs, or a step that throws, keeps nothing else from its end', () => {
    const forever = new Promise<never>(() => undefined);

    it('what is claimed is finished while Kafka does not answer.', async () => {
      const consume = streams.consume.bind(streams);
      streams.consume = async (...of) =>
        Object.assign(await consume(...of), { commit: () => forever, leave: () => forever });
      const bolt = new ScriptedBolt();
      bolt.quick = true;
      const task = await run(bolt);
      tasks.pop();
      await append([1]);
      const end = ending();
      let finished: boolean | undefined;
      void task.stop(end).then((is) => {
        finished = is;
      });
      await clock.advance(5_000);
      expect(finished).toBe(true);
      expect(bolt.calls).toEqual(['open', 'drain', 'drained', 'close']);
      expect(end.left).toEqual(['webhook: committing', 'webhook: leaving its group']);
    });

    it('a bolt that fails to drain leaves its group, and is not taken for finished.', async () => {
      const bolt = Object.assign(new ScriptedBolt(), {
        drain: () => Promise.reject(new TypeError('a mistake')),
      });
      const task = await run(bolt);
      tasks.pop();
      const other = new ScriptedBolt();
      const second = await run(other, streams.another());
      expect(await task.stop(ending())).toBe(false);
      expect(errors).toEqual([new TypeError('a mistake')]);
      expect(bolt.calls).toEqual(['open', 'close']);
      expect(second.partitions).toEqual([0, 1]);
    });
  });
});
