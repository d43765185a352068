import { Pool } from '../../../../connectors/mysql/sql/pool';
import { markRefused } from '../../../../connectors/mysql/workers/refused-accounts';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

let world: World;
let worker: Pool;
let admin: Pool;

beforeAll(async () => {
  world = await freshDatabase();
  const open = (name: 'WORKER_DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(world.environment, name), { clock: systemClock, size: 2 });
  [worker, admin] = [open('WORKER_DATABASE_URL'), open('ADMIN_DATABASE_URL')];
});
afterAll(async () => {
  await Promise.all([worker.close(), admin.close()]);
  await world.close();
});

test('an account that could not be marked, because it was held for a moment, keeps its rows as they are', async () => {
  await admin.run("INSERT INTO account_states (account, channel, state) VALUES ('shop', 'mastodon', 'resuming')");
  const { insertId: id } = await admin.run(
    "INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('shop', 'mastodon', '{}', 1800000000000)",
  );
  const refused = [{ id, generation: 0, reason: 'revoked' }];
  const shared = "SELECT 1 FROM account_states WHERE account='shop' AND channel='mastodon' FOR SHARE";
  const answer = await worker.transaction((sql) =>
    markRefused(
      {
        run: (statement) => sql.run(statement),
        // As a spout that resumes a batch holds it, and lets it go just then.
        rows: (statement) =>
          statement.endsWith('FOR UPDATE SKIP LOCKED')
            ? admin.transaction(async (spout) => {
                await spout.rows(shared);
                return sql.rows(statement);
              })
            : sql.rows(statement),
      },
      refused,
    ),
  );
  expect(answer).toEqual({ stale: new Set(), held: new Set([id]) });
  const free = await worker.transaction((sql) => markRefused(sql, refused));
  expect(free).toEqual({ stale: new Set(), held: new Set() });
  expect(await admin.rows('SELECT state, reason FROM account_states')).toEqual([['unusable', 'revoked']]);
});
