import { type AuditFilter, mayRecordAudit, readAudit, recordAudit } from '../../../../connectors/mysql/audit/audit';
import { thisAuthor } from '../../../../connectors/mysql/audit/author';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { UserError } from '../../../../topology/core/errors';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const ann = { who: 'ann', host: 'desk' };

let world: World;
let app: Pool;
let admin: Pool;

beforeEach(async () => {
  world = await freshDatabase();
  const open = (name: 'DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(world.environment, name), { clock: systemClock, size: 2 });
  [app, admin] = [open('DATABASE_URL'), open('ADMIN_DATABASE_URL')];
});
afterEach(async () => {
  await Promise.all([app.close(), admin.close()]);
  await world.close();
});

const record = (verb: string, subject: string, after?: unknown, who = 'ann') =>
  recordAudit(app, { who, host: 'h' }, { verb, subject, after });

const found = async (filter: AuditFilter) =>
  (await readAudit(app, filter, 10)).map(({ subject }) => subject).toReversed();

test('entries are read back as they were recorded, newest first', async () => {
  await recordAudit(app, ann, { verb: 'pause', subject: 'webhook' });
  const before = { until: null, by: "o'hara \\ 😀" };
  await recordAudit(app, ann, { verb: 'resume', subject: 'webhook', before, after: [1], outcome: 'failed: away' });
  const rows = await readAudit(app, {}, 10);
  expect(rows).toEqual([
    {
      id: expect.any(Number),
      at: expect.any(Number),
      ...ann,
      verb: 'resume',
      subject: 'webhook',
      before,
      after: [1],
      outcome: 'failed: away',
    },
    {
      id: expect.any(Number),
      at: expect.any(Number),
      ...ann,
      verb: 'pause',
      subject: 'webhook',
      before: null,
      after: null,
      outcome: 'done',
    },
  ]);
  expect(await readAudit(app, {}, 1)).toEqual([rows[0]]);
});

test('entries are found by verb, by its first words, by who, by age and by message', async () => {
  await record('messages cancel', 'message 7');
  await record('messages cancel', '2 messages', { canceled: 2, ids: [7, 9] });
  await record('messages edit', 'message 70', undefined, 'bob');
  await record('message', 'other');
  expect(await found({ verb: 'messages' })).toEqual(['message 7', '2 messages', 'message 70']);
  expect(await found({ verb: 'messages cancel' })).toEqual(['message 7', '2 messages']);
  expect(await found({ who: 'bob' })).toEqual(['message 70']);
  expect(await found({ message: 7 })).toEqual(['message 7', '2 messages']);
  expect(await found({ message: 9, verb: 'messages' })).toEqual(['2 messages']);
  await admin.run("UPDATE audit SET at=at-7200000 WHERE subject IN ('message 7', 'other')");
  expect(await found({ sinceMs: 3_600_000 })).toEqual(['2 messages', 'message 70']);
});

test('what does not fit is cut, and a value that is too long is left out and says so', async () => {
  const outcome = '😀'.repeat(2_000);
  await recordAudit(
    app,
    { who: 'ann', host: 'h' },
    { verb: 'v'.repeat(99), subject: 's'.repeat(999), outcome, after: 'x'.repeat(99_999) },
  );
  const [row] = await readAudit(app, {}, 1);
  expect(row).toMatchObject({ verb: 'v'.repeat(64), subject: 's'.repeat(255), outcome: '😀'.repeat(1_024) });
  expect(row?.after).toEqual({ leftOut: '100001 characters' });
});

test('whether an entry may be recorded is known without recording one; who may not is told what to do', async () => {
  await mayRecordAudit(app);
  expect(await readAudit(app, {}, 1)).toEqual([]);
  await admin.run(`REVOKE INSERT ON audit FROM '${new URL(required(world.environment, 'DATABASE_URL')).username}'@'%'`);
  for (const attempt of [mayRecordAudit(app), recordAudit(app, ann, { verb: 'pause', subject: 'webhook' })]) {
    const error: unknown = await attempt.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(
      /^Changes are recorded in the table audit.*denied.*`downspout migrate --users`/,
    );
  }
});

test("who acts is the operating system's user unless said otherwise", () => {
  expect(thisAuthor()).toEqual({ who: expect.stringMatching(/./), host: expect.stringMatching(/./) });
  expect(thisAuthor('x'.repeat(300)).who).toBe('x'.repeat(255));
});
