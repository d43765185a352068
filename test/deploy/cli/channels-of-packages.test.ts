import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packageRoot } from '../../../topology/settings/package';
import { type CliResult, runCli } from '../../support/stack/cli';

let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'downspout-packages-')));
  const zod = join(packageRoot(), 'node_modules/zod/index.js');
  write('node_modules/@acme/downspout-pager/package.json', '{"type":"module","exports":"./index.js"}');
  write(
    'node_modules/@acme/downspout-pager/index.js',
    `import { z } from ${JSON.stringify(zod)};
     export default {
       interface: 1, name: 'pager', class: 'blind', acceptedLateMs: 0,
       payload: z.strictObject({ beep: z.string().max(5), loud: z.boolean().optional() }),
       options: {
         beep: { option: 'beep', placeholder: 'text', takes: 'text', description: 'what it beeps' },
         loud: { option: 'loud', placeholder: 'true|false', takes: 'json', description: 'true wakes people' },
       },
       credentials: z.strictObject({ token: z.string() }),
       prompts: { token: { prompt: 'Token', isSecret: true } },
       originOf: () => 'https://pager.example',
       send: async () => ({ kind: 'delivered' }),
     };`,
  );
  topology('["@acme/downspout-pager"]');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const topology = (channels: string, components = '{ webhook: {}, pager: {} }') =>
  write('topology.yaml', `channels: ${channels}\ncomponents: ${components}\n`);

const cli = (...args: string[]): Promise<CliResult> => runCli(args, { cwd: folder });

const schedule = (...args: string[]) =>
  cli('messages', 'schedule', '--account', 'a', '--due', '2027-01-01T00:00:00Z', '--dry-run', ...args);

test('a channel of a package that is an ES module has its options on the command line', async () => {
  const { code, stdout, stderr } = await cli('messages', 'schedule', '--help');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/--beep <text> +pager: what it beeps/);
  expect(stdout).toMatch(/--loud <true\|false> +pager: true wakes/);
});

test('the command line checks its payload, however it is given', async () => {
  const wrong = /^error: payload\.beep: /m;
  expect((await schedule('--channel', 'pager', '--beep', 'too long')).stderr).toMatch(wrong);
  expect((await schedule('--channel', 'pager', '--payload', '{"beep":"too long"}')).stderr).toMatch(wrong);
  // What is right goes on to the database, where there is none.
  const right = await schedule('--channel', 'pager', '--beep', 'short', '--loud', 'true');
  expect(right.stderr).toMatch(/ECONNREFUSED/);
  const other = await schedule('--channel', 'webhook', '--beep', 'short');
  expect(other.stderr).toContain('--beep belongs to pager; this message is of webhook. Use --payload.');
});

test('an import reads its cells as the options are read', async () => {
  const line = 'a,pager,2027-01-01T00:00:00Z';
  write('m.csv', `account,channel,due_at,payload.beep,payload.loud\n${line},short,true\n${line},too long,\n`);
  const { code, stdout, stderr } = await cli('messages', 'import', 'm.csv', '--dry-run', '--json');
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ read: 2, bad: 1 });
  expect(stderr).toMatch(/^line 3: payload\.beep: /m);
});

test('verbs that name a channel know it', async () => {
  for (const args of [
    ['pause', 'pager'],
    ['drain', 'pager'],
    ['accounts', 'show', 'a', '--channel', 'pager'],
    ['accounts', 'test', 'a', '--channel', 'pager'],
    ['verify'],
  ]) {
    const { code, stderr } = await cli(...args);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/ECONNREFUSED/)]);
  }
}, 60_000);

test('where it is not installed, the verb says so and what to do; other channels are not concerned', async () => {
  rmSync(join(folder, 'node_modules'), { recursive: true });
  const missing = `@acme/downspout-pager: this package is not installed here. Run \`npm install @acme/downspout-pager\` in ${folder}`;
  const unknown = await schedule('--channel', 'pager', '--payload', '{"beep":"short"}');
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain(missing);
  expect(unknown.stderr).toMatch(/^error: channel: expected one of webhook.*got "pager"/m);
  const account = await cli('accounts', 'show', 'a', '--channel', 'pager');
  expect(account.stderr).toContain(missing);
  expect(account.stderr).toMatch(/^error: There is no channel "pager"/m);
  const webhook = await schedule('--channel', 'webhook', '--url', 'https://x.test');
  expect(webhook.stderr).toMatch(/ECONNREFUSED/);
  const plan = await cli('plan');
  expect(plan.code).toBe(1);
  expect(plan.stderr).toMatch(
    /^error: .*topology\.yaml:1: channels\.0 is "@acme\/downspout-pager": this package is not installed here\./m,
  );
  expect(plan.stderr).toMatch(/topology\.yaml:2: components\.pager is .*or that of @acme\/downspout-pager$/m);
  expect(plan.stderr).toContain(`in ${folder}, or where`);
}, 60_000);

test('a worker of it that cannot load it says so at the start, and ends', async () => {
  rmSync(join(folder, 'node_modules'), { recursive: true });
  const { code, stderr } = await cli('worker', '--component', 'pager');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: topology\.yaml: components\.pager: expected due or one of the channels webhook/m);
  expect(stderr).toMatch(/^@acme\/downspout-pager: this package is not installed here/m);
});

test.each([
  ['[7]', /topology\.yaml:1: channels\.0 is 7: expected the name of a package/],
  ['["https://x.test/a.js"]', /channels\.0 is "https:\/\/x\.test\/a\.js": expected the name of a package/],
  ['"@acme/downspout-pager"', /channels is "@acme\/downspout-pager": expected a list of packages/],
])('channels: %s in the file is refused', async (channels, text) => {
  topology(channels);
  const { code, stderr } = await cli('plan');
  expect([code, stderr]).toEqual([1, expect.stringMatching(text)]);
});

test('a component that no package offers is named, with the channels that there are', async () => {
  topology('["@acme/downspout-pager"]', '{ pagr: {} }');
  expect((await cli('plan')).stderr).toContain('there is no such channel. Did you mean pager?');
});

test('an image is given packages only', async () => {
  write('pager.js', `module.exports = require('./node_modules/@acme/downspout-pager/index.js');`);
  topology('["./pager.js"]');
  for (const target of ['kubernetes', 'compose']) {
    const { code, stderr } = await cli('render', target, '--out', join(folder, 'out'));
    expect([code, stderr]).toEqual([1, expect.stringContaining('names the channel ./pager.js by its path')]);
  }
  topology('["@acme/downspout-pager"]');
  expect(await cli('render', 'compose', '--out', join(folder, 'out'))).toMatchObject({ code: 0, stderr: '' });
}, 60_000);
