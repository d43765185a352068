import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type AuditRow, readAudit } from '../../connectors/mysql/audit/audit';
import { createClient } from '../../connectors/mysql/client/client';
import { Pool } from '../../connectors/mysql/sql/pool';
import { buildProgram } from '../../deploy/cli/program';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import { packageRoot } from '../../topology/settings/package';
import { runCli, variablesOf } from '../support/stack/cli';
import { runHere } from '../support/stack/cli-here';
import { freshWorld, type World } from '../support/stack/stack';
import { until } from '../support/until';

// Most lines of a test start a process.
jest.setTimeout(120_000);

/** Verbs that change nothing of the deployment, and why those of them that write something leave no row. */
const readers: Readonly<Record<string, string>> = {
  env: '',
  config: '',
  completion: '',
  status: '',
  lag: '',
  audit: '',
  history: '',
  list: '',
  ps: '',
  logs: '',
  plan: '',
  diff: '',
  'render alerts': '',
  'render compose': '',
  'render kubernetes': '',
  'render systemd': '',
  grants: '',
  init: 'it writes a folder, not the deployment',
  supervisor:
    'it is in the table of supervisors while it lives; --detach and --stop are recorded: test/stack/kill.test.ts',
  'messages list': '',
  'messages show': '',
  'messages outcomes': '',
  'accounts list': '',
  'accounts expiring': '',
  'accounts show': '',
  'accounts test': 'an account that it mends is recorded',
  'providers fake': '',
  verify: 'it writes down how far it has looked',
  worker: 'it is in the table of workers while it lives',
  demo: 'it is an application on a stack of its own; what its client changes is recorded as for any application',
};

/** Verbs that deploy, whose rows other tests read: what they change takes releases and supervisors. */
const deploying: Readonly<Record<string, string>> = {
  deploy: 'test/stack/deploy.test.ts',
  rollback: 'test/stack/deploy.test.ts',
  scale: 'test/stack/deploy.test.ts',
  restart: 'test/stack/deploy.test.ts',
  rebalance: 'test/stack/deploy.test.ts',
  kill: 'test/stack/kill.test.ts',
  up: 'test/stack/up-and-down.test.ts',
  down: 'test/stack/up-and-down.test.ts',
};

const secret = `whsec_${Buffer.from('a'.repeat(24)).toString('base64')}`;
const record = `{"account":"a","channel":"webhook","due_at":"2032-01-01T00:00:00Z","payload":{"url":"https://x.test"}}\n`;

/** A command line for every verb that changes something, in an order in which each has something to change. */
const changes: readonly (readonly [verb: string, args: string, input?: string])[] = [
  ['provision', ''],
  ['migrate', ''],
  ['pause', 'webhook --account acme --until 2h'],
  ['resume', 'webhook --account acme'],
  ['drain', 'webhook'],
  ['resume', 'webhook'],
  ['deactivate', '--until 1h'],
  ['activate', ''],
  ['accounts set', 'acme', secret],
  ['accounts set', 'acme', secret.replace('YWFh', 'YmJi')],
  ['accounts rotate', 'acme', secret.replace('YWFh', 'Y2Nj')],
  ['accounts retire', 'acme --yes'],
  ['accounts disable', 'acme'],
  ['accounts enable', 'acme'],
  ['accounts rekey', ''],
  ['accounts remove', 'acme --yes'],
  ['messages schedule', '--account a --in 2h --url https://x.test'],
  ['messages import', '-', record],
  ['messages edit', 'ID --in 3h'],
  ['messages cancel', 'ID'],
  ['messages redrive', 'ID'],
  ['messages redrive', '--account a --yes'],
  ['messages resume', 'ID'],
  ['messages resume', '--account a --yes'],
  ['messages resolve', 'ID --delivered'],
  ['messages resolve', '--account a --delivered --yes'],
  ['messages purge', '--older-than 1h --yes'],
  ['adopt', '--as copy --yes'],
];

let world: World;
let admin: Pool;
let id: number;

beforeAll(async () => {
  world = await freshWorld();
  admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  const client = createClient(required(world.environment, 'DATABASE_URL'));
  const payload = { url: 'https://x.test' };
  const answer = await client.schedule({ account: 'a', channel: 'webhook', dueAt: '2032-01-01T00:00:00Z', payload });
  id = answer.id;
  await client.close();
});

afterAll(async () => {
  await admin.close();
  await world.close();
});

const environment = () => ({
  ...variablesOf(world.environment),
  DOWNSPOUT_WHO: 'ann',
  DOWNSPOUT_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
});

const cli = (args: readonly string[], input?: string, started?: (child: ChildProcess) => void) =>
  runCli(args, {
    environment: environment(),
    ...(input === undefined ? {} : { input }),
    ...(started === undefined ? {} : { started }),
  });

async function newest(): Promise<AuditRow | undefined> {
  return (await readAudit(admin, {}, 1))[0];
}

function leaves(command: Command, path = ''): string[] {
  return command.commands.flatMap((sub) => {
    const name = path === '' ? sub.name() : `${path} ${sub.name()}`;
    return sub.commands.length === 0 ? [name] : leaves(sub, name);
  });
}

test('every verb is known to change nothing, or is in the list of those that are recorded', () => {
  const known = [...Object.keys(readers), ...Object.keys(deploying), ...changes.map(([verb]) => verb)];
  expect(leaves(buildProgram(['node', 'downspout'])).toSorted()).toEqual([...new Set(known)].toSorted());
});

test.each(Object.entries(deploying))('the row of `downspout %s` is read by %s', (verb, file) => {
  expect(readFileSync(join(packageRoot(), file), 'utf8')).toMatch(
    new RegExp(`audited\\([^)]*'${verb}'|verbs = \\[.*'${verb}'`),
  );
});

test.each(changes)('`downspout %s %s` leaves an audit row', async (verb = '', args = '', input = '') => {
  const before = await newest();
  const done = await cli(wordsOf(verb, args), input);
  expect(done.stderr).not.toMatch(/not in the audit/);
  const row = await newest();
  expect(row?.id).not.toBe(before?.id);
  expect(row).toMatchObject({ who: 'ann', verb, subject: expect.stringMatching(/./) });
  expect(JSON.stringify(row)).not.toContain(secret.slice(6));
});

const rehearsed = changes.filter(([verb]) => verb !== 'provision');

test.each(rehearsed)(
  '`downspout %s %s --dry-run` changes and records nothing',
  async (verb = '', args = '', input = '') => {
    const before = await tables();
    const words = [...wordsOf(verb, args), '--dry-run'];
    const dry = await runHere(words, environment(), { input });
    expect(dry.stderr).toContain('Dry run: nothing is changed.');
    expect(await tables()).toEqual(before);
  },
);

function wordsOf(verb: string, args: string): string[] {
  const words = `${verb} ${args}`.split(' ').filter((word) => word !== '');
  return words.map((word) => (word === 'ID' ? String(id) : word));
}

/** All that a verb could change. */
async function tables(): Promise<unknown> {
  const names = [
    'audit',
    'scheduled_messages',
    'delivery_attempts',
    'accounts',
    'account_states',
    'pauses',
    'deployment',
  ];
  return Promise.all(names.map((name) => admin.rows(`SELECT * FROM ${name} ORDER BY 1`)));
}

test('Ctrl-C ends a drain that waits in good order: the channel stays paused, and the audit says so', async () => {
  const isPaused = async () => (await admin.rows("SELECT 1 FROM pauses WHERE channel='webhook'")).length > 0;
  await admin.run(`UPDATE scheduled_messages SET due_at=946684800000, state='sending' WHERE id=${id}`);
  let interrupting: Promise<unknown> | undefined;
  const { code, stderr } = await cli(['drain', 'webhook'], undefined, (child) => {
    interrupting = until('webhook is paused', isPaused).then(() => child.kill('SIGINT'));
  });
  await interrupting;
  expect({ code, stderr }).toEqual({
    code: 130,
    stderr: expect.stringMatching(/webhook stays paused until `downspout resume webhook`/),
  });
  expect(await newest()).toMatchObject({ verb: 'drain', subject: 'webhook', outcome: 'interrupted by SIGINT' });
  expect(await isPaused()).toBe(true);
});
