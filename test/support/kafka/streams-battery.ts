import type {
  AppendRecord,
  BoltListener,
  GroupMember,
  SpoutListener,
  StreamsClient,
} from '../../../topology/runtime/streams-client';
import { until } from '../until';

/** A log and the workers on it. */
export interface StreamsWorld {
  /** The streams as one more worker sees them. */
  worker(): Promise<StreamsClient>;
  createStream(name: string, partitions: number): Promise<unknown>;
  /** Deletes the stream and makes it again, empty. What groups have committed may stay. */
  createStreamAgain(name: string, partitions: number): Promise<void>;
  /** -1 where nothing was committed. */
  committed(component: string, stream: string, partition: number): Promise<number>;
  close(): Promise<void>;
}

interface Seen {
  readonly partition: number;
  readonly offset: number;
  readonly text: string;
}

/** A listener that keeps what it is given, and continues where it was. */
class Reader implements BoltListener {
  readonly seen: Seen[] = [];
  partitions: readonly number[] = [];
  assignments = 0;
  /** Takes so many records more. */
  room = Number.POSITIVE_INFINITY;
  readonly crashes: unknown[] = [];
  private readonly next = new Map<number, number>();

  readonly rebalancing = () => undefined;
  readonly positionOf = (partition: number) =>
    this.partitions.includes(partition) ? this.next.get(partition) : undefined;

  readonly assigned = (partitions: readonly number[]) => {
    this.assignments++;
    for (const partition of this.next.keys()) if (!partitions.includes(partition)) this.next.delete(partition);
    this.partitions = partitions;
  };

  readonly records: BoltListener['records'] = (partition, records) => {
    const taken = records.slice(0, this.room);
    this.room -= taken.length;
    for (const { offset, value } of taken) {
      if (!this.partitions.includes(partition)) this.crashes.push(`a record of ${partition}, which is not owned`);
      this.seen.push({ partition, offset, text: String(value) });
      this.next.set(partition, offset + 1);
    }
    return taken.length;
  };

  readonly crashed = (error: unknown) => this.crashes.push(error);

  texts(): string[] {
    return this.seen.map(({ text }) => text);
  }

  /** As the listener of a spout. */
  following(): SpoutListener & { of: number } {
    const spout = {
      ...(this as BoltListener),
      of: 0,
      assigned: (assignment: { partitions: readonly number[]; of: number }, starts: readonly PartitionOffset[]) => {
        spout.of = assignment.of;
        this.assigned(assignment.partitions);
        for (const { partition, offset } of starts) this.next.set(partition, offset);
      },
    };
    return spout;
  }
}

type PartitionOffset = { readonly partition: number; readonly offset: number };

function keyOf({ partition, offset }: Seen): string {
  return `${partition}:${offset}`;
}

function texts(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `t${from + index}`);
}

function record(text: string, partition = 0): AppendRecord {
  return { partition, value: Buffer.from(text) };
}

/** What every log must do for the runtime. */
export function streamsBattery(open: () => Promise<StreamsWorld>): void {
  let world: StreamsWorld;
  let stream = '';
  let streams = 0;
  const members: GroupMember[] = [];

  beforeAll(async () => {
    world = await open();
  }, 60_000);
  afterAll(() => world.close(), 60_000);
  beforeEach(() => {
    stream = `stream-${++streams}`;
  });
  afterEach(async () => {
    await Promise.all(members.splice(0).map((member) => member.leave()));
  }, 30_000);

  async function consume(client: StreamsClient, reader: Reader): Promise<GroupMember> {
    const member = await client.consume(`bolt-${stream}`, stream, reader);
    members.push(member);
    return member;
  }

  async function follow(client: StreamsClient, listener: SpoutListener): Promise<GroupMember> {
    const member = await client.follow(`spout-${stream}`, stream, listener);
    members.push(member);
    return member;
  }

  it('appends in order and returns the offset of each record, also of appends that overlap', async () => {
    await world.createStream(stream, 2);
    const client = await world.worker();
    const answers = await Promise.all(
      texts(0, 30).map((text, index) =>
        client.append(stream, [record(text, index % 2), record(`${text}+`, index % 2)]),
      ),
    );
    const reader = new Reader();
    await consume(client, reader);
    await until('60 records', () => reader.seen.length === 60);
    for (const [index, offsets] of answers.entries()) {
      for (const [place, offset] of offsets.entries()) {
        const found = reader.seen.find((one) => one.partition === index % 2 && one.offset === offset);
        expect(found?.text).toBe(`t${index}${'+'.repeat(place)}`);
      }
    }
    expect(await client.partitions(stream)).toBe(2);
  }, 30_000);

  it('Only the positions given to `commit` are committed: a bolt gets all later records again, or all from the first on', async () => {
    await world.createStream(stream, 1);
    const client = await world.worker();
    await client.append(
      stream,
      texts(0, 10).map((text) => record(text)),
    );
    const first = new Reader();
    const member = await consume(client, first);
    await until('10 records', () => first.seen.length === 10);
    await member.commit([{ partition: 0, offset: 4 }]);
    expect(await world.committed(`bolt-${stream}`, stream, 0)).toBe(4);
    await member.leave();
    const second = new Reader();
    await consume(await world.worker(), second);
    await until('6 records', () => second.seen.length === 6);
    expect(second.texts()).toEqual(texts(4, 10));
  }, 30_000);

  it('A partition that is new to a member which begins at the end begins at the end as it was before `assigned`', async () => {
    await world.createStream(stream, 2);
    const client = await world.worker();
    await client.append(stream, [record('before'), record('before', 1)]);
    const reader = new Reader();
    const listener = reader.following();
    await follow(client, listener);
    expect(listener.of).toBe(2);
    expect(reader.partitions).toEqual([0, 1]);
    await client.append(stream, [record('after'), record('after', 1)]);
    await until('2 records', () => reader.seen.length === 2);
    const seen = reader.seen.toSorted((a, b) => a.partition - b.partition);
    expect(seen.map(({ partition, offset, text }) => [partition, offset, text])).toEqual([
      [0, 1, 'after'],
      [1, 1, 'after'],
    ]);
    expect(await world.committed(`spout-${stream}`, stream, 0)).toBe(-1);
  }, 30_000);

  it("A partition that stays continues at the listener's position, without a gap or a repetition, while members come and go", async () => {
    await world.createStream(stream, 4);
    const client = await world.worker();
    const first = new Reader();
    await follow(client, first.following());
    let appended = 0;
    const appendOne = () =>
      client.append(
        stream,
        [0, 1, 2, 3].map((partition) => record(`t${appended}`, partition)),
      );
    const append = async (count: number) => {
      for (const end = appended + count; appended < end; appended++) await appendOne();
    };
    await append(5);
    const kept = new Set([0, 1, 2, 3]);
    const others: Reader[] = [];
    for (let round = 0; round < 2; round++) {
      const other = new Reader();
      others.push(other);
      const joining = world.worker().then((worker) => follow(worker, other.following()));
      await append(5);
      const member = await joining;
      await until('the partitions are owned', () => first.partitions.length === 2);
      for (const partition of kept) if (!first.partitions.includes(partition)) kept.delete(partition);
      await append(5);
      await member.leave();
      await until('the partitions are owned', () => first.partitions.length === 4);
    }
    await append(5);
    expect(kept.size).toBeGreaterThan(0);
    for (const partition of kept) {
      const own = () => first.seen.filter((one) => one.partition === partition).map(({ text }) => text);
      await until('what was appended is read', () => own().length >= appended);
      expect(own()).toEqual(texts(0, appended));
      expect(others.flatMap(({ seen }) => seen).some((one) => one.partition === partition)).toBe(false);
    }
    expect(first.crashes).toEqual([]);
  }, 60_000);

  it('The listener gets every assignment, the first one included, before any record of it.', async () => {
    await world.createStream(stream, 3);
    const client = await world.worker();
    const append = (text: string) =>
      client.append(
        stream,
        [0, 1, 2].map((partition) => record(text, partition)),
      );
    await append('before');
    const first = new Reader();
    await consume(client, first);
    expect(first.assignments).toBeGreaterThan(0);
    const second = new Reader();
    const member = await consume(await world.worker(), second);
    expect(second.assignments).toBeGreaterThan(0);
    await append('with two members');
    await until('all are read', () => new Set([...first.seen, ...second.seen].map(keyOf)).size === 6);
    await member.leave();
    await append('with one member again');
    await until('all are read', () => new Set([...first.seen, ...second.seen].map(keyOf)).size === 9);
    // A reader notes a record of a partition that it was not assigned.
    expect([...first.crashes, ...second.crashes]).toEqual([]);
  }, 30_000);

  it('gives every partition to one member, and those of a member that leaves to the others', async () => {
    await world.createStream(stream, 5);
    const readers = [new Reader(), new Reader(), new Reader()];
    const joined = await Promise.all(readers.map(async (reader) => consume(await world.worker(), reader)));
    const owned = (of: readonly Reader[]) => of.flatMap(({ partitions }) => partitions).toSorted((a, b) => a - b);
    await until('every partition has an owner', () => owned(readers).join() === '0,1,2,3,4');
    expect(readers.map(({ partitions }) => partitions.length).toSorted((a, b) => a - b)).toEqual([1, 2, 2]);
    await joined[0]?.leave();
    await until('every partition has an owner', () => owned(readers.slice(1)).join() === '0,1,2,3,4');
  }, 30_000);

  it('delivers again what a listener did not take, and delivers nothing while it is paused', async () => {
    await world.createStream(stream, 1);
    const client = await world.worker();
    const reader = new Reader();
    reader.room = 3;
    const member = await consume(client, reader);
    member.pause();
    await client.append(
      stream,
      texts(0, 10).map((text) => record(text)),
    );
    member.resume();
    await until('3 records', () => reader.seen.length === 3);
    member.pause();
    reader.room = 4;
    await client.append(
      stream,
      texts(10, 12).map((text) => record(text)),
    );
    expect(reader.seen.length).toBe(3);
    member.resume();
    await until('7 records', () => reader.seen.length === 7);
    reader.room = Number.POSITIVE_INFINITY;
    member.pause();
    member.resume();
    await until('12 records', () => reader.seen.length === 12);
    expect(reader.texts()).toEqual(texts(0, 12));
  }, 30_000);

  it('A stream that was deleted and made again is read from its end, by members of a spout and new assignments alike', async () => {
    // More than are appended before the reader notices.
    const old = 1_000;
    await world.createStream(stream, 1);
    const client = await world.worker();
    const reader = new Reader();
    await follow(client, reader.following());
    await client.append(
      stream,
      texts(0, old).map((text) => record(text)),
    );
    await until('all records', () => reader.seen.length === old);
    await world.createStreamAgain(stream, 1);
    // Members begin at the end when they notice; until then records may be passed over.
    await until('a record of the new log', async () => {
      await client.append(stream, [record('new')]).catch(() => undefined);
      return reader.texts().includes('new');
    });
    expect(reader.seen.find(({ text }) => text === 'new')?.offset).toBeLessThan(old);
  }, 60_000);
}
