import { WaitingAccounts } from '../../../bolts/send/waiting-accounts';
import { WriteBack, type WriteBackOptions } from '../../../bolts/send/write-back';
import type { AttemptResult, SendRow, SendRows, Unwritten } from '../../../bolts/send-rows';
import { delivered, result } from '../../connectors/mysql/scene';
import { ManualClock, settled } from '../../support/manual-clock';

const clock = new ManualClock();
let id = 0;

function resultOfNext(): AttemptResult {
  const row = { id: ++id, version: 1, dueAt: 0, wakeAt: 0, payload: '{}' } as SendRow;
  return result(row, { kind: 'delivered' }, delivered(null));
}

/** A table that answers a write-back when it is told to. */
function table() {
  const batches: { readonly results: readonly AttemptResult[]; readonly answer: (bad: Unwritten[]) => void }[] = [];
  const rows = {
    journal: async () => undefined,
    writeBack: (_: string, results: readonly AttemptResult[]) =>
      new Promise<readonly Unwritten[]>((resolve) => batches.push({ results, answer: resolve })),
  } as unknown as SendRows;
  return { rows, batches };
}

const common = {
  session: 'a'.repeat(32),
  clock,
  random: () => 0.5,
  onError: () => undefined,
  onRefused: () => undefined,
};

async function advance(milliseconds: number): Promise<void> {
  await clock.advance(milliseconds);
  await settled();
}

/** Of a worker in a crowd. */
function writeBackOf(rows: SendRows, more: Partial<WriteBackOptions> = {}): WriteBack {
  return new WriteBack({
    ...common,
    rows,
    maxUnwritten: 100,
    maxJournaledBytes: 1024 * 1024,
    isCrowded: () => true,
    holdsLease: () => true,
    acceptedWithin: () => 0,
    bytesOf: () => 100,
    isAwaited: () => false,
    accountOf: () => 'a',
    onJournaled: () => undefined,
    onWritten: () => undefined,
    ...more,
  });
}

function delivereds(): AttemptResult[] {
  return Array.from({ length: 30 }, () => resultOfNext());
}

function retryOf(one: AttemptResult): AttemptResult {
  const settlement = { state: 'scheduled', inDoubt: false, error: 'busy', delayMs: 500 } as const;
  return { ...one, outcome: { kind: 'retry', reason: 'busy', status: 503 }, settlement };
}

describe('4. in a crowd', () => {
  test('a retry, and what others wait for, do not wait with what was delivered', async () => {
    const { rows, batches } = table();
    const [awaited, retry] = [resultOfNext(), retryOf(resultOfNext())];
    const writeBack = writeBackOf(rows, { isAwaited: (one) => one === awaited.id });
    for (const one of [...delivereds(), retry, awaited]) writeBack.add(one);
    await advance(150);
    expect([batches.map(({ results }) => results), writeBack.journaled]).toEqual([[[retry]], 1]);
    batches[0]?.answer([]);
    await advance(1_500);
    expect([batches.length, writeBack.unwritten, writeBack.journaled]).toEqual([1, 30, 1]);
    await advance(1_000);
    expect([writeBack.unwritten, writeBack.journaled]).toEqual([0, 31]);
    writeBack.close();
  });

  test('a retry beside very many others neither, whatever is on the way', async () => {
    const { rows, batches } = table();
    const writeBack = writeBackOf(rows, { maxUnwritten: 20_000 });
    for (let n = 0; n < 1_200; n++) writeBack.add(retryOf(resultOfNext()));
    for (const one of delivereds()) writeBack.add(one);
    await advance(150);
    expect(batches.map(({ results }) => results.length)).toEqual([500, 500]);
    batches[0]?.answer([]);
    await advance(0);
    expect(batches.map(({ results }) => results.length)).toEqual([500, 500, 200]);
    writeBack.close();
  });

  test('which has only retries, what comes after it is of no crowd', async () => {
    const { rows, batches } = table();
    let isCrowded = true;
    const writeBack = writeBackOf(rows, { isCrowded: () => isCrowded });
    for (let n = 0; n < 30; n++) writeBack.add(retryOf(resultOfNext()));
    await advance(150);
    batches[0]?.answer([]);
    isCrowded = false;
    await advance(1_000);
    writeBack.add(resultOfNext());
    await advance(150);
    expect(batches.map(({ results }) => results.length)).toEqual([30, 1]);
    writeBack.close();
  });

  test('results wait no longer once their rows keep too much memory, however many there are', async () => {
    const { rows } = table();
    const writeBack = writeBackOf(rows, { bytesOf: () => 20_000, maxJournaledBytes: 64_000_000, maxUnwritten: 20_000 });
    let most = 0;
    for (let n = 0; n < 10_000; n++) {
      writeBack.add(resultOfNext());
      if (n % 100 === 0) await advance(1);
      most = Math.max(most, writeBack.unwritten);
    }
    // 32 MB, and what came while some of it was written.
    expect(most).toBeLessThan(1_800);
    expect(writeBack.unwritten).toBeLessThan(1_800);
    writeBack.close();
  });
});

test('5. the rows are settled a batch at a time, however long one takes', async () => {
  const { rows, batches } = table();
  let isCrowded = true;
  const writeBack = writeBackOf(rows, { maxUnwritten: 20, isCrowded: () => isCrowded });
  const crowd = async () => {
    isCrowded = true;
    for (let n = 0; n < 15; n++) writeBack.add(resultOfNext());
    await advance(200);
    isCrowded = false;
  };
  await crowd();
  expect([writeBack.journaled, writeBack.unwritten, batches.length]).toEqual([15, 0, 0]);
  await advance(3_000);
  expect(batches.map(({ results }) => results.length)).toEqual([15]);
  await crowd();
  expect([writeBack.journaled, writeBack.unwritten]).toEqual([30, 0]);
  await advance(60_000);
  expect(batches).toHaveLength(1);
  batches[0]?.answer([]);
  // As long a rest.
  await advance(59_000);
  expect([batches.length, writeBack.journaled]).toEqual([1, 15]);
  await advance(10_000);
  expect(batches.map(({ results }) => results.length)).toEqual([15, 15]);
  batches[1]?.answer([]);
  await advance(0);
  expect(writeBack.size).toBe(0);
  writeBack.close();
});

test('what the ledger has does not count as unwritten where its account is written apart', async () => {
  const { rows, batches } = table();
  const [journaled, other] = [resultOfNext(), resultOfNext()];
  const done: AttemptResult[] = [];
  const apart = new WaitingAccounts({
    ...common,
    rows,
    isDurable: (one) => one === journaled,
    sizeOf: ({ length }) => length,
    onFailed: () => undefined,
    onDone: (results) => done.push(...results),
  });
  apart.addWaited('a', [journaled, other]);
  expect(apart.size).toBe(1);
  await advance(1_000);
  batches[0]?.answer([]);
  await advance(0);
  expect([apart.size, done]).toEqual([0, [journaled, other]]);
  apart.close();
});
