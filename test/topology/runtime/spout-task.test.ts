import { changeEventCodec } from '../../../connectors/debezium/change-event';
import type { SkippedRecord } from '../../../topology/runtime/decode';
import { SpoutTask } from '../../../topology/runtime/spout-task';
import { type ScheduleChange, scheduleChanges } from '../../../topology/streams';
import { MemoryLog } from '../../support/kafka/memory-log';
import { MemoryStreams } from '../../support/kafka/memory-streams';
import { ManualClock, settled } from '../../support/manual-clock';
import { changeOf, ScriptedSpout } from './scripted-parts';

const feed = scheduleChanges(changeEventCodec);

const ids = (spout: ScriptedSpout) => spout.changes.map(({ value }) => value.id);

describe('SpoutTask', () => {
  let streams: MemoryStreams;
  let skipped: SkippedRecord[];
  let errors: unknown[];

  beforeEach(() => {
    const log = new MemoryLog(new ManualClock());
    log.create(feed.name, 2);
    streams = new MemoryStreams(log);
    skipped = [];
    errors = [];
  });

  const onSkip = (one: SkippedRecord) => void skipped.push(one);

  async function run(spout: ScriptedSpout, on = streams): Promise<SpoutTask<ScheduleChange>> {
    const part = { name: 'due', feed };
    const task = new SpoutTask({ part, spout, streams: on, onSkip, onError: (error) => void errors.push(error) });
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
    await second.stop();
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
    await task.stop();
    expect(order).toEqual(['closed', 'moved']);
  });
});
