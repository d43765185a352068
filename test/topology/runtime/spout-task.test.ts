import { changeEventCodec } from '../../../connectors/debezium/change-event';
import { Unavailable } from '../../../topology/core/errors';
import type { SkippedRecord } from '../../../topology/runtime/decode';
import { Ending } from '../../../topology/runtime/ending';
import { SpoutTask } from '../../../topology/runtime/spout-task';
import { type ScheduleChange, scheduleChanges } from '../../../topology/streams';
import { MemoryLog } from '../../support/kafka/memory-log';
import { MemoryStreams } from '../../support/kafka/memory-streams';
import { ManualClock, settled } from '../../support/manual-clock';
import { changeOf, ScriptedSpout } from './scripted-parts';

const feed = scheduleChanges(changeEventCodec);

/** What a part that does not answer promises. */
const forever = new Promise<never>(() => undefined);

const ids = (spout: ScriptedSpout) => spout.changes.map(({ value }) => value.id);

describe('SpoutTask', () => {
  let clock: ManualClock;
  let log: MemoryLog;
  let streams: MemoryStreams;
  let skipped: SkippedRecord[];
  let errors: unknown[];

  beforeEach(() => {
    clock = new ManualClock();
    log = new MemoryLog(clock);
    log.create(feed.name, 2);
    streams = new MemoryStreams(log);
    skipped = [];
    errors = [];
  });

  const onSkip = (one: SkippedRecord) => void skipped.push(one);
  const onError = (error: unknown) => void errors.push(error);
  const ending = () => new Ending(clock, onError);
  const committed = () => [0, 1].map((partition) => log.committedOf('due', feed.name, partition));

  async function run(spout: ScriptedSpout, on = streams): Promise<SpoutTask<ScheduleChange>> {
    const part = { name: 'due', feed };
    const task = new SpoutTask({ part, spout, streams: on, clock, onSkip, onError });
    await task.open();
    return task;
  }

  async function append(id: number, partition: number): Promise<void> {
    await streams.append(feed.name, [{ partition, value: feed.codec.encode(changeOf(id)) }]);
    await settled();
  }

  it('1. A partition that stays continues where it was: no change is missed and none is fed twice.', async () => {
    const spout = new ScriptedSpout();
    await append(1, 0);
    const task = await run(spout);
    expect(spout.assignments).toEqual([{ partitions: [0, 1], of: 2 }]);
    await append(2, 0);
    const other = new ScriptedSpout();
    const second = await run(other, streams.another());
    await append(3, 0);
    await append(4, 1);
    await second.stop(ending());
    await append(5, 0);
    await append(6, 1);
    expect(ids(spout)).toEqual([2, 3, 5, 6]);
    expect(ids(other)).toEqual([4]);
    expect(spout.assignments.map(({ partitions }) => partitions)).toEqual([[0, 1], [0], [0, 1]]);
    expect(task.partitions).toEqual([0, 1]);
    expect(errors).toEqual([]);
  });

  it('1. A partition that stays continues where it was, also when nothing came before the members changed.', async () => {
    const spout = new ScriptedSpout();
    await run(spout);
    const members: SpoutTask<ScheduleChange>[] = [];
    // A change that is appended between two generations must not be skipped over.
    const worker = Object.assign(streams.another(), {});
    const joining = run(new ScriptedSpout(), worker).then((task) => members.push(task));
    await Promise.all([joining, append(1, 0)]);
    await settled();
    expect(ids(spout)).toEqual([1]);
  });

  it('2. A bad record is skipped and reported; its neighbours are fed.', async () => {
    const spout = new ScriptedSpout();
    const task = await run(spout);
    await append(1, 0);
    await streams.append(feed.name, [{ partition: 0, value: Buffer.from('{"id":1}') }]);
    await append(2, 0);
    expect(ids(spout)).toEqual([1, 2]);
    expect(skipped).toHaveLength(1);
    expect(task.gauges()).toEqual({ 'pending.webhook': 2, feed_lag: 0 });
  });

  it('3. The spout stops emitting before its partitions move to another task.', async () => {
    const order: string[] = [];
    const spout = Object.assign(new ScriptedSpout(), { close: async () => void order.push('closed') });
    const task = await run(spout);
    const other = new ScriptedSpout();
    await run(Object.assign(other, { assigned: () => void order.push('moved') }), streams.another());
    order.length = 0;
    await task.stop(ending());
    expect(order).toEqual(['closed', 'moved']);
  });

  describe('4. A partition whose log ends before the position reached in it begins again at the end, as a new one: its topic was deleted and made again, or its last records were lost.', () => {
    it('changes of the new log are fed, and the spout gives the partition up before it gets it again', async () => {
      const spout = new ScriptedSpout();
      const task = await run(spout);
      for (let id = 1; id <= 5; id++) await append(id, 0);
      log.create(feed.name, 2, false);
      spout.assignments.length = 0;
      await append(6, 0);
      await append(7, 0);
      await append(8, 1);
      // Kafka's client passes over change 6 when it finds its position beyond the end; the spout reads the row again.
      expect(ids(spout)).toEqual([1, 2, 3, 4, 5, 7, 8]);
      expect(spout.assignments).toEqual([
        { partitions: [1], of: 2 },
        { partitions: [0, 1], of: 2 },
      ]);
      expect(task.gauges()).toMatchObject({ feed_lag: 0 });
    });

    it('when the members change before a record of the new log comes', async () => {
      const spout = new ScriptedSpout();
      await run(spout);
      for (let id = 1; id <= 5; id++) await append(id, 0);
      log.create(feed.name, 2, false);
      spout.assignments.length = 0;
      const second = await run(new ScriptedSpout(), streams.another());
      await second.stop(ending());
      await append(6, 0);
      expect(ids(spout)).toEqual([1, 2, 3, 4, 5, 6]);
      // Two rebalances, and the partition is given up in the first of them.
      expect(spout.assignments.map(({ partitions }) => partitions)).toEqual([[], [0], [0, 1]]);
    });
  });

  it('5. The position reached in each partition is committed for people who look at the lag, and never read back.', async () => {
    for (let id = 1; id <= 3; id++) await append(id, 0);
    const first = await run(new ScriptedSpout());
    await append(4, 0);
    await clock.advance(5_000);
    expect(committed()).toEqual([4, 0]);
    await append(5, 1);
    await clock.advance(5_000);
    expect(committed()).toEqual([4, 1]);
    await first.stop(ending());
    await append(6, 0);
    const spout = new ScriptedSpout();
    const second = await run(spout);
    expect(ids(spout)).toEqual([]);
    await second.stop(ending());
    expect(clock.timers).toBe(0);
  });

  it('6. After it has left, its spout has no partitions, and each of them begins at the end when it joins again.', async () => {
    const spout = new ScriptedSpout();
    const task = await run(spout);
    await append(1, 0);
    await task.leave();
    expect(task.partitions).toEqual([]);
    await append(2, 0);
    await task.open();
    await append(3, 0);
    expect(spout.calls).toEqual(['open']);
    expect(ids(spout)).toEqual([1, 3]);
    expect(spout.assignments.map(({ partitions }) => partitions)).toEqual([[0, 1], [], [0, 1]]);
    await clock.advance(5_000);
    expect(committed()).toEqual([3, 0]);
    await task.stop(ending());
    expect(clock.timers).toBe(0);
  });

  it('a commit that Kafka does not confirm is reported, and made up for by the next one', async () => {
    const follow = streams.follow.bind(streams);
    let isAway = true;
    streams.follow = async (...listening) => {
      const member = await follow(...listening);
      const commit = member.commit.bind(member);
      member.commit = async (positions) => {
        if (isAway) throw new Unavailable('Kafka is away');
        await commit(positions);
      };
      return member;
    };
    const task = await run(new ScriptedSpout());
    await append(1, 0);
    await clock.advance(5_000);
    expect(errors).toEqual([new Unavailable('Kafka is away')]);
    isAway = false;
    await clock.advance(5_000);
    expect(log.committedOf('due', feed.name, 0)).toBe(1);
    await task.stop(ending());
  });

  it('7. A part that hangs, or a step that throws, keeps nothing else from its end.', async () => {
    const order: string[] = [];
    const follow = streams.follow.bind(streams);
    streams.follow = async (...listening) => {
      const member = await follow(...listening);
      member.commit = () => forever;
      member.leave = () => {
        order.push('leaves');
        return forever;
      };
      return member;
    };
    const spout = Object.assign(new ScriptedSpout(), {
      close: () => {
        order.push('closes');
        return forever;
      },
    });
    const task = await run(spout);
    await append(1, 0);
    await clock.advance(5_000);
    const end = ending();
    let isOver = false;
    void task.stop(end).then(() => {
      isOver = true;
    });
    await clock.advance(4_000);
    expect(order).toEqual(['closes', 'leaves']);
    const finishing = 'due: finishing what it reads and emits';
    expect(end.left).toEqual(['due: committing', finishing, 'due: leaving its group']);
    await clock.advance(3_000);
    expect(end.left).toEqual(['due: committing', finishing, 'due: leaving its group']);
    expect(isOver).toBe(true);
    expect(clock.timers).toBe(0);
  });

  it('leaves a group that it joins after it was stopped', async () => {
    const follow = streams.follow.bind(streams);
    streams.follow = async (...listening) => {
      await clock.sleep(1_000);
      return follow(...listening);
    };
    const spout = new ScriptedSpout();
    const task = new SpoutTask({ part: { name: 'due', feed }, spout, streams, clock, onSkip, onError });
    const opening = task.open();
    await settled();
    await task.stop(ending());
    await clock.advance(1_000);
    await opening;
    const other = new ScriptedSpout();
    await run(other, streams.another());
    expect(other.assignments.at(-1)).toEqual({ partitions: [0, 1], of: 2 });
  });
});
