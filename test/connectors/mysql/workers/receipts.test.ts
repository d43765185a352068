import { createClient } from '../../../../connectors/mysql/client/client';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { receiptsOfOthers } from '../../../../connectors/mysql/workers/receipts';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

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
  expect(await receiptsOfOthers(worker, { ...asked, receipts })).toEqual(new Set(['2']));
  expect(await receiptsOfOthers(worker, { ...asked, channel: 'mastodon', receipts })).toEqual(new Set());
});
