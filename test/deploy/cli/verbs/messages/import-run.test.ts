import { Readable } from 'node:stream';
import { PoolExecutor } from '../../../../../connectors/mysql/sql/executor';
import { TooMuchAtOnce } from '../../../../../connectors/mysql/sql/failures';
import type { Pool } from '../../../../../connectors/mysql/sql/pool';
import { runImport } from '../../../../../deploy/cli/verbs/messages/import-run';
import { readRecords } from '../../../../../deploy/cli/verbs/messages/import-source';
import type { SourceRecord } from '../../../../../deploy/cli/verbs/messages/source-record';
import { Unavailable } from '../../../../../topology/core/errors';

const good = (line: number): SourceRecord => ({
  line,
  ok: true,
  fields: {
    account: 'a',
    channel: 'webhook',
    due_at: Date.UTC(2027, 0, 1) + line,
    payload: { url: 'https://x.test', body: '' },
  },
});

async function* source(count: number, bad: ReadonlyMap<number, SourceRecord> = new Map()) {
  for (let line = 1; line <= count; line += 1) yield bad.get(line) ?? good(line);
}

type Options = Parameters<typeof runImport>[1];

/** @param check the database takes messages, unless given */
function run(
  records: AsyncIterable<SourceRecord>,
  write: Options['write'],
  check: Options['check'] = async () => undefined,
) {
  const reasons = new Map<number, string>();
  const progress: number[] = [];
  const stop = new AbortController();
  const done = runImport(records, {
    write,
    check,
    onBad: (line, reason) => reasons.set(line, reason),
    onProgress: ({ doneUpTo }) => progress.push(doneUpTo),
    signal: stop.signal,
  });
  return { done, reasons, progress, stop };
}

const accept = async (messages: readonly unknown[]) =>
  messages.map((_, index) => ({ result: 'scheduled' as const, id: index, created: true }));

test('lines are written in batches, in order', async () => {
  const sizes: number[] = [];
  const { done, progress } = run(source(2_300), async (messages) => {
    sizes.push(messages.length);
    return accept(messages);
  });
  expect(await done).toEqual({ read: 2_300, scheduled: 2_300, already: 0, bad: 0, doneUpTo: 2_300 });
  expect(sizes).toEqual([1_000, 1_000, 300]);
  expect(progress).toEqual([1_000, 2_000, 2_300]);
});

test.each([
  new TooMuchAtOnce('give fewer'),
  new Unavailable('refused', { cause: Object.assign(new Error('a hook'), { errno: 3100, sqlState: 'HY000' }) }),
])('a batch that is refused for its size is halved, not repeated: $message', async (refusal) => {
  const sizes: number[] = [];
  const { done } = run(source(1_000), async (messages) => {
    if (messages.length > 300) throw refusal;
    sizes.push(messages.length);
    return accept(messages);
  });
  expect(await done).toMatchObject({ read: 1_000, scheduled: 1_000, doneUpTo: 1_000 });
  expect(sizes).toEqual([250, 250, 250, 250]);
});

test('a batch has no more than 32 MiB of payloads and a message', async () => {
  const body = '中'.repeat(300_000);
  async function* large() {
    for await (const record of source(80)) {
      yield {
        ...record,
        fields: { ...(record as { fields: object }).fields, payload: { url: 'https://x.test', body } },
      } as SourceRecord;
    }
  }
  const sizes: number[] = [];
  const { done } = run(large(), async (messages) => {
    sizes.push(messages.length);
    return accept(messages);
  });
  expect(await done).toMatchObject({ read: 80, scheduled: 80 });
  // 38 of 900,034 bytes are more than 33,554,432.
  expect(sizes).toEqual([38, 38, 4]);
});

const deep = '['.repeat(20_000) + ']'.repeat(20_000);
const fields = {
  account: '"a"',
  channel: '"webhook"',
  due_at: String(Date.UTC(2027, 0, 1)),
  payload: '{"url": "https://x.test"}',
};
const lineOf = (own: Readonly<Record<string, string>>) => {
  const members = Object.entries({ ...fields, ...own }).map(([name, value]) => `"${name}": ${value}`);
  return `{${members.join(', ')}}\n`;
};
test.each([
  ['account', { account: deep }, 'account: expected 1 to 64 characters'],
  ['channel', { channel: deep }, 'channel: expected one of'],
  ['due_at', { due_at: deep }, 'dueAt: expected a Date'],
  ['payload', { payload: deep }, 'payload: '],
  ['dedupe_key', { dedupe_key: deep }, 'dedupeKey: expected 1 to 128 characters'],
  ['body', { payload: `{"url": "https://x.test", "body": ${deep}}` }, 'payload.body[0]'],
  ['a name', { ['n'.repeat(100_000)]: '1' }, 'nnn'],
])('a line whose %s is nested deep or very long ends no import', async (_, wrong, reason) => {
  const large = { payload: '{"url": "https://x.test", "body": {"toJSON": 1, "id": 1790000000000000123}}' };
  const text = lineOf({}) + lineOf(wrong) + lineOf(large);
  const { done, reasons } = run(readRecords(Readable.from([Buffer.from(text)])), accept);
  expect(await done).toMatchObject({ read: 3, scheduled: 2, bad: 1 });
  expect(reasons.get(2)).toContain(reason);
  expect(reasons.get(2)?.length).toBeLessThan(600);
});

test('one batch is on its way while the next is read, and no more', async () => {
  let finish: (() => void) | undefined;
  let read = 0;
  async function* counted() {
    for await (const record of source(5_000)) {
      read += 1;
      yield record;
    }
  }
  let writes = 0;
  const { done } = run(counted(), async (messages) => {
    writes += 1;
    if (writes === 1) {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    }
    return accept(messages);
  });
  for (let last = -1; last !== read; ) {
    last = read;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  expect({ read, writes }).toEqual({ read: 2_000, writes: 1 });
  finish?.();
  expect(await done).toMatchObject({ scheduled: 5_000 });
});

test('bad lines and conflicts are told by their line; the rest goes on', async () => {
  const bad = new Map<number, SourceRecord>([
    [2, { line: 2, ok: false, reason: 'not JSON' }],
    [3, { line: 3, ok: true, fields: { account: 'a', channel: 'webhook', due_at: '2030-01-01', payload: {} } }],
  ]);
  const { done, reasons } = run(source(5, bad), async () => [
    { result: 'scheduled', id: 1, created: true },
    { result: 'conflict', id: 77, state: 'scheduled' },
    { result: 'scheduled', id: 3, created: false },
  ]);
  expect(await done).toEqual({ read: 5, scheduled: 1, already: 1, bad: 3, doneUpTo: 5 });
  expect([...reasons]).toEqual([
    [2, 'not JSON'],
    [3, expect.stringMatching(/^payload\.url: /)],
    [4, 'dedupe_key: message 77 has it, with other content'],
  ]);
});

test('what the database throws ends the import; progress tells how far it came', async () => {
  let writes = 0;
  const { done, progress } = run(source(3_000), async (messages) => {
    writes += 1;
    if (writes === 2) throw new Unavailable('away');
    return accept(messages);
  });
  await expect(done).rejects.toThrow('away');
  expect(progress).toEqual([1_000]);
});

const answer = (errno: number) =>
  new Unavailable(`answer ${errno}`, { cause: Object.assign(new Error('no'), { errno, sqlState: 'HY000' }) });

test.each([1305, 1644, 1452])(
  'a line that the database refuses is bad, and the others are scheduled: error %i',
  async (errno) => {
    for (const refused of [[1], [1, 2, 3], [77, 1_500], Array.from({ length: 100 }, (_, n) => 1_001 + n)]) {
      const dues = new Set(refused.map((line) => Date.UTC(2027, 0, 1) + line));
      const { done, reasons } = run(source(2_000), async (messages) => {
        if (messages.some(({ dueAt }) => dues.has(dueAt as number))) throw answer(errno);
        return accept(messages);
      });
      const bad = refused.length;
      expect(await done).toEqual({ read: 2_000, scheduled: 2_000 - bad, already: 0, bad, doneUpTo: 2_000 });
      expect([...reasons.keys()].toSorted((a, b) => a - b)).toEqual(refused);
    }
  },
);

test.each([1644, 1406, 3819])('so is one of which the client says that a value is refused: error %i', async (errno) => {
  const client = new PoolExecutor({ transaction: (work: () => unknown) => work() } as unknown as Pool);
  const { done, reasons } = run(source(2_000), (messages) =>
    client.atomically(async () => {
      if (messages.some(({ dueAt }) => dueAt === Date.UTC(2027, 0, 1) + 77)) throw answer(errno);
      return accept(messages);
    }),
  );
  expect(await done).toEqual({ read: 2_000, scheduled: 1_999, already: 0, bad: 1, doneUpTo: 2_000 });
  expect([...reasons]).toEqual([[77, 'MySQL refuses a value: no']]);
});

test('an outage that begins after the first batch ends the import at once, and makes no line bad', async () => {
  let isAway = false;
  let tries = 0;
  const outage = async () => {
    if (isAway) throw answer(1290);
  };
  const write = async (messages: readonly unknown[]) => {
    tries++;
    await outage();
    isAway = true;
    return accept(messages);
  };
  const { done, reasons, progress } = run(source(3_000), write, outage);
  await expect(done).rejects.toThrow('answer 1290');
  expect([reasons.size, progress, tries]).toEqual([0, [1_000], 2]);
});

test.each([true, false])('a disk that is full ends it too, where lines before it are new: %s', async (created) => {
  const { done, reasons } = run(source(1_000), async (messages) => {
    if (messages.some(({ dueAt }) => (dueAt as number) > Date.UTC(2027, 0, 1) + 500)) throw answer(1114);
    return messages.map((_, index) => ({ result: 'scheduled', id: index, created }));
  });
  await expect(done).rejects.toThrow('answer 1114');
  expect(reasons.size).toBe(0);
});

test.each([1, 1_000])('an outage at its beginning does too: of %i', async (lines) => {
  let tries = 0;
  const write = async () => {
    tries++;
    throw answer(1290);
  };
  const { done, reasons } = run(source(lines), write, () => Promise.reject(answer(1290)));
  await expect(done).rejects.toThrow('answer 1290');
  expect([reasons.size, tries]).toEqual([0, 1]);
});

test.each([1, 2, 500])('%i lines of which a trigger refuses all are named, each of them', async (lines) => {
  const { done, reasons } = run(source(lines), () => Promise.reject(answer(1305)));
  expect(await done).toMatchObject({ read: lines, scheduled: 0, bad: lines });
  expect([...reasons.keys()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: lines }, (_, n) => n + 1));
});

test('an interrupt ends it after what was read', async () => {
  const { done, stop } = run(source(10_000), async (messages) => {
    stop.abort();
    return accept(messages);
  });
  const counts = await done;
  expect(counts.doneUpTo).toBe(counts.read);
  expect(counts.read).toBeLessThan(10_000);
});

test('when it is too late to send a message is a part of its line, and what is wrong with it is named', async () => {
  const lines = [{ send_within: '36h', on_late: 'skip' }, { send_within: 'soon' }, { on_late: 'drop' }, {}].map(
    (more, index): SourceRecord => {
      const record = good(index + 1);
      return record.ok ? { ...record, fields: { ...record.fields, ...more } } : record;
    },
  );
  const written: unknown[] = [];
  const records = source(4, new Map(lines.map((line, index) => [index + 1, line])));
  const { done, reasons } = run(records, async (messages) => {
    written.push(...messages);
    return accept(messages);
  });
  expect(await done).toMatchObject({ read: 4, scheduled: 2, bad: 2 });
  expect(written).toMatchObject([
    { sendWithin: '36h', onLate: 'skip' },
    { sendWithin: undefined, onLate: undefined },
  ]);
  expect(reasons.get(2)).toMatch(/^sendWithin: expected 1s to 49d/);
  expect(reasons.get(3)).toMatch(/^onLate: expected send, skip, suspend or channel/);
});
