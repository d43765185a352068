import { createHash, randomBytes } from 'node:crypto';
import { type Client, createClient, type MessageState } from '../../../../connectors/mysql/client/client';
import { Operations } from '../../../../connectors/mysql/operators/operations';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { MySqlOpenRows } from '../../../../connectors/mysql/workers/open-rows';
import { MySqlSendRows } from '../../../../connectors/mysql/workers/send-rows';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';
import { result, retry } from '../scene';

const DUE = Date.UTC(2026, 0, 1);

let world: World;
let app: Client;
let person: Client;
let worker: Pool;
let admin: Pool;
let operations: Operations;

beforeAll(async () => {
  world = await freshDatabase();
  const open = (name: 'WORKER_DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(world.environment, name), { clock: systemClock, size: 2 });
  app = createClient(required(world.environment, 'DATABASE_URL'));
  person = createClient(required(world.environment, 'WORKER_DATABASE_URL'));
  [worker, admin] = [open('WORKER_DATABASE_URL'), open('ADMIN_DATABASE_URL')];
  operations = new Operations(admin);
});
afterAll(async () => {
  await Promise.all([app.close(), person.close(), worker.close(), admin.close()]);
  await world.close();
});

/** Messages that are in this state, in doubt when they are uncertain. */
async function given(count: number, state: MessageState = 'uncertain'): Promise<number[]> {
  const answers = await app.schedule(
    Array.from({ length: count }, (_, n) => ({
      account: 'shop',
      channel: 'webhook' as const,
      payload: { url: 'http://127.0.0.1/', body: { n, text: '🚀' } },
      dueAt: DUE,
    })),
  );
  const ids = answers.map(({ id }) => id);
  await admin.run(
    `UPDATE scheduled_messages SET state='${state}', attempts=4, in_doubt=(state='uncertain'), last_error='no answer' WHERE id IN (${ids.join(',')})`,
  );
  return ids;
}

async function shown(id: number) {
  const found = await operations.show({ id });
  if (found === null) throw new Error(`no row ${id}`);
  return found;
}

/** Exactly as the database keeps it. */
async function doubtOf(id: number): Promise<number | undefined> {
  const [row] = await admin.rows<[number]>(`SELECT in_doubt FROM scheduled_messages WHERE id=${id}`);
  return row?.[0];
}

describe('resolve', () => {
  test('as delivered: now or when it was, with a receipt or without', async () => {
    const [a, b] = (await given(2)) as [number, number];
    const before = systemClock.now() - 2_000;
    expect(
      await person.resolve([
        { id: a, as: 'delivered' },
        { id: b, as: 'delivered', receipt: 'r-1', deliveredAt: '2026-01-02T03:04:05+01:00' },
      ]),
    ).toEqual([
      { result: 'resolved', version: 1 },
      { result: 'resolved', version: 1 },
    ]);
    const [one, two] = [await shown(a), await shown(b)];
    expect(one.message).toMatchObject({
      state: 'delivered',
      version: 1,
      receipt: null,
      lastError: null,
      inDoubt: true,
    });
    expect(one.message.deliveredAt).toBeGreaterThan(before);
    expect(two.message).toMatchObject({ deliveredAt: Date.UTC(2026, 0, 2, 2, 4, 5), receipt: 'r-1' });
  });

  test('Doubt stays: a retry is scheduled for now in a new version, with attempts of its own, still in doubt', async () => {
    const [id] = (await given(1)) as [number];
    expect(await person.resolve({ id, as: 'retry' })).toEqual({ result: 'resolved', version: 2 });
    expect((await shown(id)).message).toMatchObject({
      state: 'scheduled',
      version: 2,
      attempts: 0,
      wakeAt: DUE,
      inDoubt: true,
    });
    expect(await app.cancel({ id })).toEqual({ result: 'in_doubt' });
    expect(await person.resolve({ id, as: 'delivered' })).toEqual({ result: 'resolved', version: 3 });
  });

  test('a time before which nothing may be tried stands', async () => {
    const [id] = (await given(1)) as [number];
    const later = systemClock.now() + 60_000;
    await admin.run(`UPDATE scheduled_messages SET retry_at=${later} WHERE id=${id}`);
    await person.resolve({ id, as: 'retry' });
    expect((await shown(id)).message.wakeAt).toBe(later);
  });

  test('The ledger shows that a person decided, and outcomes tell of it', async () => {
    const [a, b] = (await given(2)) as [number, number];
    await person.resolve([
      { id: a, as: 'delivered', receipt: 'r' },
      { id: b, as: 'retry' },
    ]);
    const payloads = await worker.rows<[string]>(
      `SELECT payload FROM scheduled_messages WHERE id IN (${a},${b}) ORDER BY id`,
    );
    const [hashA, hashB] = payloads.map(([text]) => createHash('sha256').update(text).digest('hex'));
    const decided = { version: 1, session: '0'.repeat(32), worker: null, startedAt: null, wakeAt: DUE };
    expect((await shown(a)).attempts).toMatchObject([
      { ...decided, outcome: 'delivered', receipt: 'r', error: null, contentHash: hashA },
    ]);
    expect((await shown(b)).attempts).toMatchObject([
      { ...decided, outcome: 'retry', receipt: null, error: 'a person wants it sent again', contentHash: hashB },
    ]);
    await admin.run('UPDATE delivery_attempts SET recorded_at=NOW(6) - INTERVAL 1 MINUTE');
    const { outcomes } = await app.outcomes();
    expect(outcomes.filter(({ id }) => id === a || id === b)).toMatchObject([{ id: a, state: 'delivered' }]);
  });

  test('answers each of many, by id or key', async () => {
    const [uncertain] = (await given(1)) as [number];
    const [failed] = (await given(1, 'failed')) as [number];
    await admin.run(`UPDATE scheduled_messages SET dedupe_key='k' WHERE id=${uncertain}`);
    expect(
      await person.resolve([
        { id: 999_999_999, as: 'retry' },
        { account: 'shop', dedupeKey: 'k', as: 'retry' },
        { id: failed, as: 'delivered' },
      ]),
    ).toEqual([
      { result: 'not_found' },
      { result: 'resolved', version: 2 },
      { result: 'not_uncertain', state: 'failed' },
    ]);
    expect(await person.resolve({ id: uncertain, as: 'delivered' })).toEqual({
      result: 'not_uncertain',
      state: 'scheduled',
    });
    expect((await shown(failed)).attempts).toEqual([]);
  });

  test('refuses what is wrong, and who may not decide, and changes nothing', async () => {
    const [id] = (await given(1)) as [number];
    const wrong = [
      [{ id, as: 'maybe' as 'retry' }, 'as: expected delivered or retry, got "maybe"'],
      [{ id, as: 'delivered', deliveredAt: '2026-01-01' }, 'deliveredAt: "2026-01-01" has no zone'],
      [{ id, as: 'delivered', receipt: '' }, 'receipt: expected 1 to 512 characters'],
    ] as const;
    for (const [resolution, message] of wrong) await expect(person.resolve(resolution)).rejects.toThrow(message);
    await expect(
      person.resolve([
        { id, as: 'delivered' },
        { id, as: 'retry' },
      ]),
    ).rejects.toThrow('resolve: the same message is named twice');
    for (const resolution of [{ id, as: 'delivered' } as const, { id, as: 'retry' } as const]) {
      await expect(app.resolve(resolution)).rejects.toThrow(
        'resolve: the user of this connection may not write outcomes',
      );
    }
    expect(await shown(id)).toMatchObject({ message: { state: 'uncertain', version: 1 }, attempts: [] });
  });
});

describe("a person's retry", () => {
  const session = randomBytes(16).toString('hex');
  const claimed = async () => {
    const [id] = (await given(1)) as [number];
    await person.resolve({ id, as: 'retry' });
    const rows = new MySqlSendRows(worker);
    const read = await rows.read([id], Number.POSITIVE_INFINITY);
    expect(read).toMatchObject([{ inDoubt: true, decided: true }]);
    expect(await rows.claim(session, read, 0)).toBe(1);
    return { id, rows, row: (await rows.read([id], Number.POSITIVE_INFINITY))[0] as (typeof read)[0] };
  };

  test('holds while no attempt was made', async () => {
    const { id, rows, row } = await claimed();
    const back = { state: 'scheduled', inDoubt: true, error: 'no room', delayMs: 0, without: 'given_back' } as const;
    await rows.writeBack(session, [result(row, { kind: 'retry', reason: 'no room' }, back)]);
    expect(await rows.read([id], Number.POSITIVE_INFINITY)).toMatchObject([
      { state: 'scheduled', inDoubt: true, decided: true },
    ]);
  });

  test('is used up by an attempt', async () => {
    const { id, rows, row } = await claimed();
    await rows.writeBack(session, [result(row, { kind: 'retry', reason: 'busy' }, { ...retry(0), inDoubt: true })]);
    expect(await rows.read([id], Number.POSITIVE_INFINITY)).toMatchObject([
      { state: 'scheduled', inDoubt: true, decided: false },
    ]);
  });

  test('is used up when its worker dies', async () => {
    const { id, rows, row } = await claimed();
    await new MySqlOpenRows(worker).recover([{ id, version: row.version, session }], 0);
    expect(await rows.read([id], Number.POSITIVE_INFINITY)).toMatchObject([
      { state: 'scheduled', inDoubt: true, decided: false },
    ]);
    expect(await doubtOf(id)).toBe(1);
  });

  test('a late answer that the earlier attempt was delivered settles it', async () => {
    const [id] = (await given(1)) as [number];
    await person.resolve({ id, as: 'retry' });
    const rows = new MySqlSendRows(worker);
    const [row] = await rows.read([id], Number.POSITIVE_INFINITY);
    const late = { ...(row as NonNullable<typeof row>), version: 1 };
    await rows.writeBack(session, [
      result(late, { kind: 'delivered' }, { state: 'delivered', deliveredAt: 7, receipt: null }),
    ]);
    expect((await shown(id)).message).toMatchObject({ state: 'delivered', deliveredAt: 7 });
  });
});

describe('redrive', () => {
  test('schedules failed messages for now, as the application', async () => {
    const [a, b] = (await given(2, 'failed')) as [number, number];
    const [uncertain] = (await given(1)) as [number];
    await admin.run(`UPDATE scheduled_messages SET retry_at=${DUE + 17} WHERE id=${a}`);
    expect(await app.redrive([{ id: b }, { id: uncertain }, { id: 999_999_999 }, { id: a }])).toEqual([
      { result: 'redriven', version: 2 },
      { result: 'not_failed', state: 'uncertain' },
      { result: 'not_found' },
      { result: 'redriven', version: 2 },
    ]);
    expect((await shown(a)).message).toMatchObject({ state: 'scheduled', wakeAt: DUE, attempts: 0, inDoubt: false });
    expect(await app.redrive({ id: a })).toEqual({ result: 'not_failed', state: 'scheduled' });
    expect(await app.redrive({ id: uncertain })).toEqual({ result: 'not_failed', state: 'uncertain' });
  });
});
