import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { payloads } from '../../../topology/payloads/payloads';
import { runCli } from '../../support/stack/cli';
import { runHere } from '../../support/stack/cli-here';

const verbs = [
  'init',
  'up',
  'down',
  'env',
  'demo',
  'status',
  'lag',
  'verify',
  'messages',
  'accounts',
  'pause',
  'resume',
  'history',
  'deploy',
  'rollback',
  'scale',
  'restart',
  'rebalance',
  'drain',
  'kill',
  'activate',
  'deactivate',
  'audit',
  'plan',
  'diff',
  'config',
  'completion',
  'worker',
  'supervisor',
  'list',
  'ps',
  'logs',
  'grants',
  'providers',
  'provision',
  'render',
  'migrate',
];

test('--help names every verb, and every verb has its own', async () => {
  const { code, stdout } = await runCli(['--help']);
  expect(code).toBe(0);
  for (const verb of verbs) expect(stdout).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
  for (const verb of verbs) {
    const help = await runHere([verb, '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain(`Usage: downspout ${verb}`);
  }
}, 60_000);

test.each([
  [['lga'], /unknown command 'lga'.*Did you mean lag/s],
  [['mesages', 'list'], /unknown command 'mesages'.*Did you mean messages/s],
  [['messages', 'lst'], /unknown command 'lst'.*Did you mean list/s],
  [['accounts', 'remov', 'a'], /Did you mean remove/],
  [['accounts', 'expiring', '--within', 'soon'], /Expected a number with a unit/],
  [['providers', 'fake', 'pigeon'], /Allowed choices are mastodon/],
  [['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
  [['constructor'], /unknown command 'constructor'/],
  [['status', '--jsn'], /unknown option '--jsn'.*Did you mean --json/s],
  [['messages', 'schedule', '--in', '1h'], /required option '--account <name>'/],
  [['messages', 'schedule', '--account', 'a', '--in', 'soon'], /Expected a number with a unit/],
  [['messages', 'list', '--state', 'sent'], /Allowed choices are scheduled, sending/],
  [['messages', 'redrive', '--state', 'sent'], /Allowed choices are scheduled, sending/],
  [['messages', 'purge', '--older-than', '30'], /Expected a number with a unit/],
  [['audit', '--since', 'yesterday'], /Expected a number with a unit/],
  [['plan', '--environment', '../x'], /Expected at most 40 of a-z/],
  [['scale', 'webhook=2', '--environment', '../x'], /Expected at most 40 of a-z/],
  [['diff', 'seven'], /Expected a positive whole number/],
  [['worker'], /required option '--component <names>'/],
  [['messages', 'schedule', '--account', 'caf\ufffd'], /argument 4 has bytes that are not UTF-8/],
  [['accounts', 'set', 'caf\ufffd'], /argument 3 has bytes that are not UTF-8: set the terminal/],
  [['deploy', '--pause', 'soon'], /Expected a number with a unit/],
  [['rollback', 'x'], /Expected a positive whole number/],
  [['kill', '-w', 'x'], /Expected a whole number, 0 or more/],
  [['supervisor', '--stop', '--detach', '--release-workers'], /--detach, --release-workers: what --stop ends drains/],
  [['scale', '--suggest', 'webhook=3'], /--suggest changes nothing: leave the counts out/],
  [['scale', '--suggest', '--no-supervisor', '--pause', '1s'], /--pause, --no-supervisor: --suggest changes nothing/],
  [['scale', '--suggest', '--namespace', 'x', '--out', 'y'], /--out, --namespace: --suggest changes nothing/],
  [['rollback', '--environment', '../x'], /Expected at most 40 of a-z/],
  [['scale', 'webhook=3', '--hours', '9'], /--hours: it belongs to --suggest/],
  [['worker', '--component', 'due', '--status-port', '70000'], /Expected a port/],
  [['worker', '--component', 'due', '--release', '1', '--supervisor', 'x'], /Expected 32 hex digits/],
  [['worker', '--component', 'due', '--replica', '1'], /--replica and --supervisor need --release/],
  [['accounts', 'test'], /Which account\? Give its name, or --unusable/],
  [['accounts', 'test', 'acme', '--unusable'], /Which account\?/],
  [['scale'], /What\? Give a component and a count/],
  [['scale', 'webhook'], /expected a component and a count/],
  [['scale', 'webhook=0'], /expected a component and a count/],
  [['grants', '--principal', 'User:x'], /--principal belongs to one role/],
  [
    ['deploy', '--target', 'kubernetes', '--canary', '2', '--state', 'x'],
    /^error: --state is of the target local, .* is kubernetes\.$/m,
  ],
  [
    ['deploy', '--target', 'compose', '--no-supervisor', '--namespace', 'x'],
    /--no-supervisor is of[^]*--namespace is of/,
  ],
  [['deploy', '--image', 'downspout:1'], /--image is of the target kubernetes or compose, .* is local/],
  [['plan', '--target', 'local', '--image', 'downspout:1'], /--image is of the targets kubernetes and compose/],
])('what was asked in a wrong way exits with 2: %j', async (args, message) => {
  const result = await runHere(args);
  expect(result.code).toBe(2);
  expect(result.stderr).toMatch(message);
  expect(result.stdout).toBe('');
});

test.each([
  [['messages', 'show', 'x'], /id: expected a positive integer, got "x"/],
  [['messages', 'cancel'], /Which message\?/],
  [['messages', 'edit', '1'], /What shall change\?/],
  [['messages', 'resolve', '1'], /What did you find out\? Give --delivered, or --retry/],
  [['messages', 'resolve', '1', '--delivered', '--retry'], /What did you find out\?/],
  [
    ['messages', 'resolve', '1', '--retry', '--receipt', 'r'],
    /--receipt, --without-receipt and --at belong to --delivered/,
  ],
  [
    ['messages', 'resolve', '1', '--delivered', '--receipt', 'r', '--without-receipt'],
    /--receipt or --without-receipt/,
  ],
  [['messages', 'resolve', '1', '--delivered', '--at', '2030-01-01T09:00'], /deliveredAt: .* has no zone/],
  [['messages', 'redrive'], /Which message\?/],
  [['kill', '-w', '0'], /workers of the deployment in downspout on 127\.0\.0\.1:1\? Nothing was changed: give --yes/],
  [['messages', 'redrive', '--state', 'failed', '--yes'], /MySQL does not answer|ECONNREFUSED/],
  [['messages', 'resolve', '--state', 'uncertain', '--retry', '--yes'], /MySQL does not answer|ECONNREFUSED/],
  [['messages', 'resume', '--state', 'suspended', '--yes'], /MySQL does not answer|ECONNREFUSED/],
  [['messages', 'redrive', '7', '--state', 'failed'], /Name the messages, or give a filter/],
  [['messages', 'redrive', '--state', 'uncertain', '--yes'], /about failed messages.*messages resolve/],
  [['messages', 'resolve', '--state', 'delivered', '--retry', '--yes'], /about uncertain messages, not .* delivered/],
  [['messages', 'resume', '--state', 'scheduled', '--yes'], /about suspended or late messages, not .* scheduled/],
  [
    ['messages', 'purge', '--older-than', '1d'],
    /Delete messages .* Nothing was changed: give --yes, because there is no/,
  ],
  [['accounts', 'remove', 'acme'], /Remove the webhook secret of acme .* Nothing was changed: give --yes/],
  [['accounts', 'retire', 'acme'], /Forget the older webhook secret of acme .* Nothing was changed: give --yes/],
  [['accounts', 'set', 'acme', '--replace'], /Forget the webhook secret that acme has .* give --yes/],
  [['accounts', 'rotate', 'acme', '--replace'], /Forget the webhook secret that acme has .* give --yes/],
  [['accounts', 'expiring'], /MySQL does not answer|ECONNREFUSED/],
  [['pause', 'pigeon'], /ECONNREFUSED/],
  [['messages', 'schedule', '--account', 'a', '--in', '1h'], /What\? Give --url/],
  [['messages', 'schedule', '--account', 'a', '--due', '2030-01-01T09:00', '--url', 'http://x.test'], /has no zone/],
  [['messages', 'import', '/'], /cannot be read: it is a folder/],
  [['worker', '--component', 'nothing'], /There is no component "nothing".*due, webhook/],
  [['provision'], /ECONNREFUSED|Kafka/],
  [['lag'], /The streams are those of topology\.yaml, because which release runs is not known: [^]*Kafka/],
  [['plan', '--topology', '/does/not/exist'], /ENOENT.*Set DOWNSPOUT_TOPOLOGY/],
  [['diff'], /MySQL does not answer/],
  [['init', '/dev/null/x'], /cannot be written: .*Name a folder/],
  [['deploy'], /Nothing was changed, because what runs could not be seen\.[^]*MySQL[^]*Kafka/],
  [['deploy', '--yes'], /Nothing was changed, because what runs could not be seen/],
  [['deploy', '--topology', '/does/not/exist'], /ENOENT/],
  [['drain', 'nothing'], /MySQL does not answer/],
  [['audit'], /MySQL does not answer/],
  [['restart'], /MySQL does not answer/],
  [['history'], /MySQL does not answer/],
  [['ps'], /MySQL does not answer/],
  [['list'], /MySQL does not answer/],
  [['logs', 'due', '--state', '/does/not/exist'], /There is no log of due in .*`downspout ps` says/],
])(
  'what cannot be done is one clear line and 1: %j',
  async (args, message) => {
    const result = await runHere(args);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/^\s+at /m);
    expect(result.stderr).not.toContain('hush');
  },
  20_000,
);

test.each([
  [['messages', 'import', '/does/not/exist'], /cannot be read: ENOENT/],
  [['messages', 'list', '--error', 'caf\ufffd'], /MySQL does not answer: connect ECONNREFUSED/],
  [['messages', 'list', '--error=caf\ufffd'], /MySQL does not answer: connect ECONNREFUSED/],
  [['messages', 'list'], /MySQL does not answer: connect ECONNREFUSED/],
])('so is what the system refuses, in the words of the system: %j', async (args, message) => {
  const { code, stderr } = await runCli(args);
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain('hush');
});

test('a wrong setting is named, without its value where it may hold a password', async () => {
  const environment = { DATABASE_URL: 'not a url with hush', LOG_LEVEL: 'loud' };
  const { code, stderr } = await runCli(['messages', 'list'], { environment });
  expect(code).toBe(1);
  expect(stderr).toContain('DATABASE_URL');
  expect(stderr).toContain('LOG_LEVEL');
  expect(stderr).toContain('"loud"');
  expect(stderr).not.toContain('hush');
});

test('--verbose adds where it happened', async () => {
  const { stderr } = await runCli(['messages', 'list', '--verbose']);
  expect(stderr).toMatch(/settings: from the environment/);
  expect(stderr).toMatch(/^\s+at .*pool/m);
});

test('status prints which parts are away, as JSON too, and exits with 1', async () => {
  const { code, stdout } = await runCli(['status', '--json']);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    database: null,
    queued: null,
    parts: expect.arrayContaining(
      ['MySQL', 'Kafka', 'Kafka Connect'].map((part) => expect.objectContaining({ part, ok: false, needed: true })),
    ),
  });
}, 20_000);

test('a secret comes from standard input; an empty one is refused', async () => {
  const { code, stderr } = await runCli(['accounts', 'set', 'acme'], { input: '\n' });
  expect(code).toBe(1);
  expect(stderr).toContain('The secret is empty');
});

test('init says how a deployment begins, up to the command that starts the workers', async () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'downspout-init-')), 'new');
  try {
    const { code, stdout } = await runHere(['init', folder]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/npx downspout up[^]*npx downspout plan[^]*npx downspout deploy/);
  } finally {
    rmSync(join(folder, '..'), { recursive: true, force: true });
  }
});

function line(due: number): string {
  const payload = { url: 'https://x.test', body: 'x'.repeat(200) };
  return `${JSON.stringify({ account: 'a', channel: 'webhook', due_at: Date.UTC(2027, 0, 1) + due, payload })}\n`;
}

test.each(['up', 'demo'])(
  '%s --dry-run says how the stack would run, and starts nothing',
  async (verb) => {
    const folder = mkdtempSync(join(tmpdir(), 'downspout-up-'));
    try {
      mkdirSync(join(folder, '.downspout'));
      const passwords = { admin: 'a', application: 'b', worker: 'c', cdc: 'd' };
      const state = { mode: 'native', ports: {}, processes: {}, passwords };
      writeFileSync(join(folder, '.downspout', 'stack.json'), JSON.stringify(state));
      const { code, stdout } = await runCli([verb, '--dry-run', '--json'], { cwd: folder });
      expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({
        code: 0,
        kind: 'native',
        why: 'as before',
        dryRun: true,
      });
      expect(readdirSync(join(folder, '.downspout'))).toEqual(['stack.json']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  60_000,
);

describe('import --dry-run', () => {
  const HEAP_MB = 40;

  test('reports bad lines with number and reason, goes on, and exits with 1', async () => {
    const input = `${line(1)}nonsense\n${line(3).replace('webhook', 'fax')}${line(4)}`;
    const { code, stdout, stderr } = await runCli(['messages', 'import', '-', '--dry-run', '--json'], { input });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ read: 4, scheduled: 0, bad: 2, dryRun: true });
    expect(stderr).toMatch(/^line 2: not JSON/m);
    const known = Object.keys(payloads).join(', ');
    expect(stderr).toContain(`\nline 3: channel: expected one of ${known}, got "fax"`);
  });

  test('needs no more memory for a large file', async () => {
    const input = line(1_900_000_000_000).repeat(160_000);
    expect(input.length).toBeGreaterThan(HEAP_MB * 1024 * 1024);
    const { code, stdout } = await runCli(['messages', 'import', '-', '--dry-run'], {
      input,
      environment: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` },
    });
    expect(stdout).toMatch(/^160,000 lines read in .*: 160,000 good, nothing was scheduled \(dry run\), 0 bad\.$/m);
    expect(code).toBe(0);
  }, 60_000);
});

test('config shows what counts and where it comes from, without secrets', async () => {
  const secret = {
    DOWNSPOUT_SECRET_KEY: Buffer.from('hush'.repeat(8)).toString('base64'),
    KAFKA_SASL_PASSWORD: 'hush',
    HTTPS_PROXY: 'joe:hush@proxy.test:3128',
  };
  const { code, stdout, stderr } = await runCli(['config', '--json'], {
    environment: { ...secret, LOG_LEVEL: 'warn' },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const rows = JSON.parse(stdout) as { name: string; value: string; from: string }[];
  const of = (name: string) => rows.find((row) => row.name === name);
  expect(of('LOG_LEVEL')).toEqual({ name: 'LOG_LEVEL', value: 'warn', from: 'environment' });
  expect(of('KAFKA_SSL')).toMatchObject({ value: 'false', from: 'default' });
  expect(of('DATABASE_URL')?.value).toBe('mysql://nobody:***@127.0.0.1:1/downspout');
  expect(of('DOWNSPOUT_SECRET_KEY')?.value).toBe('***');
  expect(stdout).not.toMatch(/hush|aHVz/);
});

test('--no-color is taken before and after a verb', async () => {
  for (const args of [
    ['--no-color', 'status', '--json'],
    ['status', '--json', '--no-color'],
  ]) {
    const { stderr, stdout } = await runHere(args);
    expect(stderr).not.toContain('unknown option');
    expect(JSON.parse(stdout)).toHaveProperty('parts');
  }
}, 20_000);
