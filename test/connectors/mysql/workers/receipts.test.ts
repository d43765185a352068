import { createClient } from '../../../../connectors/mysql/client/client';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { Receipts } from '../../../../connectors/mysql/workers/receipts';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const OWN = 'a'.repeat(32);
const ANOTHER = 'b'.repeat(32);

let world: World;
let admin: Pool;
let worker: Pool;

beforeEach(async () => {
  world = await freshDatabase();
  admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  worker = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 1 });
});
afterEach(async () => {
  await Promise.all([admin.close(), worker.close()]);
  await world.close();
});

test('the receipts of other messages of an account are found, and nobody else has them', async () => {
  const client = createClient(required(world.environment, 'DATABASE_URL'));
  const now = systemClock.now();
  const message = (account: string, dueAt = now) => ({ account, channel: 'x' as const, payload: { text: 'a' }, dueAt });
  const rows = [
    message('shop'),
    message('shop'),
    message('shop'),
    message('other'),
    message('shop', now - 172_800_000),
  ];
  const ids = (await client.schedule(rows)).map(({ id }) => id);
  await client.close();
  const deliver = (id: number | undefined, receipt: string) =>
    admin.run(`UPDATE scheduled_messages SET state='delivered', receipt='${receipt}' WHERE id=${id}`);
  for (const [n, receipt] of ['1', '2', '3', '4', '5'].entries()) await deliver(ids[n], receipt);
  // It is sent again, so what it had is no other's.
  await admin.run(`UPDATE scheduled_messages SET state='scheduled' WHERE id=${ids[2]}`);
  const asked = { channel: 'x', account: 'shop', id: ids[0] as number, notBefore: now };
  const receipts = ['1', '2', '3', '4', '5', "6'"];
  const table = new Receipts(worker, OWN, systemClock);
  expect(await table.ofOthers({ ...asked, receipts })).toEqual(new Set(['2']));
  expect(await table.ofOthers({ ...asked, channel: 'mastodon', receipts })).toEqual(new Set());
  // What another worker sends may have a receipt that is not written; what this one sends it knows itself.
  const claim = (n: number, session: string) =>
    admin.run(`UPDATE scheduled_messages SET state='sending', claim=x'${session}' WHERE id=${ids[n]}`);
  await claim(2, OWN);
  await claim(0, ANOTHER);
  await claim(3, ANOTHER);
  expect(await table.ofOthers({ ...asked, receipts })).toEqual(new Set(['2']));
  await claim(2, ANOTHER);
  expect(await table.ofOthers({ ...asked, receipts })).toBeUndefined();
});

test('One question at a time, and accounts take turns: one that asks for much is refused, and nobody else is', async () => {
  let atOnce = 0;
  let most = 0;
  const statements: string[] = [];
  const pool = {
    async rows<T extends readonly unknown[]>(statement: string): Promise<T[]> {
      statements.push(statement);
      most = Math.max(most, ++atOnce);
      const rows = await worker.rows<T>(statement);
      atOnce -= 1;
      return rows;
    },
  };
  const table = new Receipts(pool, OWN, systemClock);
  const ask = (account: string) =>
    table.ofOthers({ channel: 'x', account, id: 1, receipts: ['1'], notBefore: 0 }).then(
      () => 'read',
      (error: unknown) => String(error),
    );
  const refused = expect.stringContaining('too many messages of the account in doubt');
  const ofOne = await Promise.all(Array.from({ length: 5 }, () => ask('shop')));
  expect(ofOne).toEqual([...Array.from({ length: 4 }, () => 'read'), refused]);
  const ofMany = Array.from({ length: 8 }, (_, n) => Array.from({ length: 4 }, () => ask(`shop-${n}`))).flat();
  expect(await ask('ninth')).toBe('read');
  expect(await Promise.all(ofMany)).toEqual(Array.from({ length: 32 }, () => 'read'));
  expect(most).toBe(1);
  expect(await ask('shop')).toBe('read');
  expect(statements.every((statement) => statement.includes('MAX_EXECUTION_TIME(2000)'))).toBe(true);
});
