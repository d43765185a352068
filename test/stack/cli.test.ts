import { createClient } from '../../connectors/mysql/client/client';
import { Pool } from '../../connectors/mysql/sql/pool';
import { MySqlSendLimits } from '../../connectors/mysql/workers/send-limits';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import { runCli, variablesOf } from '../support/stack/cli';
import { runHere } from '../support/stack/cli-here';
import { plantedSecret } from '../support/stack/planted-secrets';
import { freshWorld, type World } from '../support/stack/stack';

// Some lines of a test start a process.
jest.setTimeout(30_000);

let world: World;
let environment: Record<string, string>;

beforeAll(async () => {
  world = await freshWorld();
  environment = {
    ...variablesOf(world.environment),
    DOWNSPOUT_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  };
}, 60_000);

afterAll(async () => {
  await world.close();
}, 60_000);

const byProcess = (args: readonly string[], input?: string) =>
  runCli(args, { environment, ...(input === undefined ? {} : { input }) });
const cli = (args: readonly string[], input?: string) => runHere(args, environment, { input });

async function json<T = unknown>(args: readonly string[], input?: string): Promise<T> {
  const { stdout, stderr } = await cli([...args, '--json'], input);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as T;
}

const schedule = (...more: string[]) => [
  'messages',
  'schedule',
  '--account',
  'acme',
  '--in',
  '2h',
  '--url',
  'https://example.test/hook',
  ...more,
];

test('a message is scheduled, shown, edited and canceled', async () => {
  const { id } = await json<{ id: number }>(
    schedule('--body', '{"hello":"😀"}', '--header', 'X-Tag: a', '--dedupe-key', 'one'),
  );
  const shown = await json(['messages', 'show', String(id)]);
  expect(shown).toMatchObject({
    message: {
      account: 'acme',
      state: 'scheduled',
      payload: { url: 'https://example.test/hook', headers: { 'X-Tag': 'a' }, body: { hello: '😀' } },
    },
    attempts: [],
    holds: [{ kind: 'not_due' }, { kind: 'no_bolt' }, { kind: 'no_spout' }],
  });

  const due = '2031-05-06T07:08:09+02:00';
  expect(await json(['messages', 'edit', '--account', 'acme', '--dedupe-key', 'one', '--due', due])).toEqual({
    result: 'edited',
    version: 2,
  });
  const url = 'https://example.test/elsewhere';
  expect(await json(['messages', 'edit', String(id), '--url', url])).toEqual({ result: 'edited', version: 3 });
  const stale = await cli(['messages', 'edit', String(id), '--due', due, '--if-version', '1']);
  expect(stale).toMatchObject({ code: 1, stdout: expect.stringContaining('its plan has version 3 by now') });
  const text = (await byProcess(['messages', 'show', String(id)])).stdout;
  expect(text).toContain('2031-05-06T05:08:09.000Z');
  expect(text).toContain('"url":"https://example.test/elsewhere"');
  expect(text).toMatch(/^ {2}now +it is not due until 2031-05-06T05:08:09\.000Z, in /m);

  expect(await cli(['messages', 'cancel', String(id)])).toMatchObject({
    code: 0,
    stdout: `Message ${id} is canceled.\n`,
  });
  expect(await cli(['messages', 'cancel', String(id), '999999'])).toMatchObject({
    code: 1,
    stdout: `Message ${id} was canceled before.\nMessage 999999 does not exist.\n`,
  });
  expect(await cli(['messages', 'edit', String(id), '--in', '1h'])).toMatchObject({ code: 1 });
});

test('scheduling twice under one key is scheduling once; other content is an error', async () => {
  const due = ['--due', '2031-01-01T00:00:00Z', '--account', 'acme', '--url', 'https://x.test', '--dedupe-key', 'two'];
  const first = await json<object>(['messages', 'schedule', ...due, '--body', 'a']);
  expect(first).toMatchObject({ result: 'scheduled', created: true });
  expect(await json(['messages', 'schedule', ...due, '--body', 'a'])).toEqual({ ...first, created: false });
  const other = await cli(['messages', 'schedule', ...due, '--body', 'b']);
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('has this dedupe key already') });
});

test('import schedules the good lines once, however often it runs, and reports the bad ones', async () => {
  const csv = [
    'account,channel,due_at,dedupe_key,payload.url,payload.body',
    ...Array.from({ length: 2_500 }, (_, n) => `bulk,webhook,2032-01-01T00:00:00Z,k${n},https://x.test,"body, ${n}"`),
    'bulk,webhook,2032-01-01T00:00:00,zone,https://x.test,late',
    'bulk,webhook,2033-01-01T00:00:00Z,k7,https://x.test,other content',
  ].join('\n');
  const first = await byProcess(['messages', 'import', '-', '--json'], csv);
  expect(first.code).toBe(1);
  expect(JSON.parse(first.stdout)).toMatchObject({ read: 2_502, scheduled: 2_500, already: 0, bad: 2 });
  expect(first.stderr).toMatch(/^line 2502: dueAt: .* has no zone/m);
  expect(first.stderr).toMatch(/^line 2503: dedupe_key: message \d+ has it, with other content/m);
  expect(await json(['messages', 'import', '-'], csv)).toMatchObject({ scheduled: 0, already: 2_500, bad: 2 });

  const list = ['messages', 'list', '--account', 'bulk', '--limit', '2000'];
  const page = await json<{ messages: unknown[]; next: number }>(list);
  expect(page.messages).toHaveLength(2_000);
  const rest = await json([...list, '--before', String(page.next)]);
  expect(rest).toMatchObject({ messages: { length: 500 }, next: null });
}, 30_000);

test('the secret of an account is never printed', async () => {
  const secret = `whsec_${Buffer.from(plantedSecret('webhook', 'acme')).toString('base64')}`;
  const set = await byProcess(['accounts', 'set', 'acme', '--verbose'], secret);
  expect(set).toMatchObject({ code: 0 });
  const list = await byProcess(['accounts', 'list', '--json']);
  expect(JSON.parse(list.stdout)).toEqual([
    {
      account: 'acme',
      channel: 'webhook',
      updatedAt: expect.any(Number),
      secrets: 1,
      state: 'usable',
      reason: null,
      since: null,
      expiresAt: null,
    },
  ]);
  expect(set.stdout + set.stderr + list.stdout).not.toContain(secret.slice('whsec_'.length));
  expect(await cli(['accounts', 'remove', 'acme', '--yes'])).toMatchObject({ code: 0 });
  expect(await cli(['accounts', 'remove', 'acme', '--yes'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no webhook secret'),
  });
});

test('a secret that cannot sign is refused; one that replaces another is valid beside it until that is retired', async () => {
  const set = (secret: string) => cli(['accounts', 'set', 'acme', '--json'], secret);
  const refused = await set('correct horse battery staple');
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('secret: it is not whsec_ and base64') });
  const results = [];
  for (const letter of ['a', 'b']) {
    const { stdout } = await set(`whsec_${Buffer.from(letter.repeat(24)).toString('base64')}`);
    results.push(JSON.parse(stdout));
  }
  expect(results).toMatchObject([{ secrets: 1 }, { secrets: 2 }]);
  const { stdout } = await cli(['accounts', 'rekey', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ rekeyed: 0, unreadable: [] });
  expect(await cli(['accounts', 'retire', 'acme', '--yes'])).toMatchObject({ code: 0 });
  expect(await cli(['accounts', 'remove', 'acme', '--yes'])).toMatchObject({ code: 0 });
}, 30_000);

test('a pause is shown until it is resumed', async () => {
  expect(await cli(['pause', 'webhook', '--account', 'acme', '--until', '2090-01-01T00:00:00Z'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^acme on webhook is paused until 2090-01-01T00:00:00\.000Z;/),
  });
  const { stdout } = await cli(['status']);
  expect(stdout).toContain('Paused: webhook, account acme, until 2090-01-01T00:00:00.000Z.');
  expect(await cli(['resume', 'webhook', '--account', 'acme'])).toMatchObject({ code: 0 });
  expect(await cli(['resume', 'webhook', '--account', 'acme'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('was not paused'),
  });
});

test('what a provider has said of a limit is shown, and resuming the account asks it again', async () => {
  const pool = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 1 });
  await new MySqlSendLimits(pool, 'webhook').hold('acme', 3_600_000);
  await pool.close();
  expect((await cli(['status'])).stdout).toContain('One account of webhook has sent as much as limits');
  expect(await cli(['resume', 'webhook', '--account', 'acme'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^acme on webhook waits no more for .*: it is asked again within half a minute\.$/m),
  });
  expect((await cli(['status'])).stdout).not.toContain('as much as limits');
  expect(await cli(['resume', 'webhook', '--account', 'acme'])).toMatchObject({ code: 1 });
});

test('a deactivated topology says so first, until it is activated', async () => {
  expect(await cli(['deactivate'])).toMatchObject({ code: 0 });
  expect((await cli(['status'])).stdout).toMatch(/^DEACTIVATED since \S+: no message is sent on any channel\./);
  expect(await cli(['activate'])).toMatchObject({ code: 0, stdout: 'The topology is active.\n' });
  expect(await cli(['activate'])).toMatchObject({ code: 1, stderr: expect.stringContaining('active already') });
});

test('status and lag show what runs, what waits and what is away', async () => {
  const status = JSON.parse((await byProcess(['status', '--json'])).stdout) as unknown;
  expect(status).toMatchObject({
    parts: [
      { part: 'MySQL', ok: true },
      { part: 'Kafka', ok: true },
      { part: 'Kafka Connect', ok: true, detail: expect.stringContaining('RUNNING') },
      ...(world.environment.PROMETHEUS_URL === undefined ? [] : [{ part: 'Prometheus' }]),
    ],
    database: {
      deployment: {
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
        kafkaCluster: expect.any(String),
        namespace: environment['DOWNSPOUT_NAMESPACE'],
        maxConnections: expect.any(Number),
        maxPacketBytes: expect.any(Number),
      },
    },
    warnings: ['Messages wait and no worker runs the spout `due`.', expect.stringContaining('no worker runs its bolt')],
  });
  expect((await cli(['status'])).stdout).toMatch(/^Deployment\n[0-9a-f]{16} of Kafka cluster \S+, namespace "/m);
  const rows = await json<{ owner: string | null }[]>(['lag']);
  const { spout, bolts } = world.settings;
  expect(rows).toHaveLength(spout.partitions + (bolts['webhook']?.partitions ?? 0));
  expect(rows.every(({ owner }) => owner === null)).toBe(true);
});

test('outcomes shows messages that have ended, and purge removes them', async () => {
  expect(await json(['messages', 'outcomes'])).toEqual({ outcomes: [], next: '0', more: false });
  const client = createClient(required(world.environment, 'DATABASE_URL'));
  try {
    const { id } = await client.schedule({
      account: 'gone',
      channel: 'webhook',
      dueAt: '2031-01-01T00:00:00Z',
      payload: { url: 'https://x.test', body: '' },
    });
    await client.cancel({ id });
    expect(await json(['messages', 'purge', '--older-than', '30d', '--yes'])).toEqual({ deleted: 0, auditRows: 0 });
    const purged = await json<{ deleted: number }>(['messages', 'purge', '--older-than', '0s', '--yes']);
    expect(purged.deleted).toBeGreaterThanOrEqual(1);
    expect(await client.get({ id })).toBeNull();
  } finally {
    await client.close();
  }
});

test('migrate --dry-run prints no SQL when the schema is up to date', async () => {
  expect(await cli(['migrate', '--dry-run'])).toMatchObject({ code: 0, stdout: '-- nothing to do\n' });
});
