import { randomBytes } from 'node:crypto';
import { createClient } from '../../../../connectors/mysql/client/client';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { MySqlSendRows } from '../../../../connectors/mysql/workers/send-rows';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

let world: World;
let admin: Pool;
let ids: number[];
let rows: MySqlSendRows;
const session = randomBytes(16).toString('hex');

beforeEach(async () => {
  world = await freshDatabase();
  admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 2 });
  rows = new MySqlSendRows(admin);
  const client = createClient(required(world.environment, 'DATABASE_URL'));
  const answers = await client.schedule(
    Array.from({ length: 20 }, (_, n) => ({
      account: 'a',
      channel: 'webhook' as const,
      payload: { url: 'http://127.0.0.1/', body: n },
      dueAt: systemClock.now() - 60_000,
    })),
  );
  ids = answers.map(({ id }) => id);
  await client.close();
});
afterEach(async () => {
  await admin.close();
  await world.close();
});

async function states(): Promise<string[]> {
  const after = new Map((await rows.read(ids, 0)).map(({ id, state }) => [id, state]));
  return ids.map((id) => after.get(id) as string);
}

test('a row that was claimed as often as can be counted is claimed all the same', async () => {
  await admin.run(`UPDATE scheduled_messages SET attempts=65535, recoveries=255 WHERE id=${ids[7]}`);
  expect(await rows.claim(session, await rows.read(ids, 0), 0)).toBe(ids.length);
  expect(await states()).toEqual(ids.map(() => 'sending'));
  expect(await rows.read([ids[7] as number], 0)).toMatchObject([{ attempts: 65_535, recoveries: 255 }]);
});

test.each([
  ['writes what does not fit', (id: number) => `SET NEW.attempts = IF(NEW.id = ${id}, 70000, NEW.attempts)`],
  ['refuses', (id: number) => `IF NEW.id = ${id} THEN SIGNAL SQLSTATE '45000'; END IF`],
])(
  'a row that the database refuses to write holds no other, and is named in the error that follows: a trigger %s',
  async (_, body) => {
    await admin.run(`CREATE TRIGGER poison BEFORE UPDATE ON scheduled_messages FOR EACH ROW ${body(ids[7] as number)}`);
    const read = await rows.read(ids, 0);
    await expect(rows.claim(session, read, 0)).rejects.toMatchObject({
      won: ids.length - 1,
      message: expect.stringContaining(`message ${ids[7]} cannot be claimed: `),
    });
    expect(await states()).toEqual(ids.map((id) => (id === ids[7] ? 'scheduled' : 'sending')));
  },
);
