import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { channelKinds } from '../../../../connectors/channels/channel-kinds';
import { fieldsOf } from '../../../../connectors/channels/credentials';
import { checkDefinition, TAKEN_OPTIONS } from '../../../../connectors/channels/loaded/definition';
import { loadChannels } from '../../../../connectors/channels/loaded/load-channels';
import { checkPayload } from '../../../../connectors/mysql/client/input';
import { buildProgram } from '../../../../deploy/cli/program';
import { payloadFields, payloads } from '../../../../topology/payloads/payloads';
import { packageRoot } from '../../../../topology/settings/package';
import sms from './example/downspout-sms';

let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'downspout-channels-')));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** JavaScript of a channel of this name, as somebody publishes it. */
const published = (name: string, zod = join(packageRoot(), 'node_modules/zod')) => `
const { z } = require(${JSON.stringify(zod)});
exports.default = {
  interface: 1, name: '${name}', class: 'blind', acceptedLateMs: 0,
  payload: z.strictObject({ text: z.string() }),
  options: { text: { option: 'text', placeholder: 'text', takes: 'text', description: 'the text' } },
  credentials: z.strictObject({ token: z.string() }),
  prompts: { token: { prompt: 'Token', isSecret: true } },
  originOf: () => 'https://api.example.com',
  send: async () => ({ kind: 'delivered' }),
};`;

const faultsOf = (...sources: string[]) => loadChannels(sources, folder).faults;

test('packages beside the file, and paths from it, are loaded with what is known of their fields', () => {
  write('node_modules/@acme/downspout-pager/package.json', '{"name":"@acme/downspout-pager","main":"lib/index.js"}');
  write('node_modules/@acme/downspout-pager/lib/index.js', published('pager'));
  write('own/fax.js', published('fax'));
  const { kinds, schemas, faults } = loadChannels(['@acme/downspout-pager', './own/fax.js'], folder);
  expect(faults).toEqual([]);
  expect(Object.keys(kinds)).toEqual([...Object.keys(channelKinds), 'pager', 'fax']);
  expect(Object.keys(schemas)).toEqual(Object.keys(kinds));
  expect(payloadFields(schemas['pager'] as (typeof schemas)[string])).toEqual([
    { name: 'text', option: 'text', placeholder: 'text', description: 'the text', takes: 'text', required: true },
  ]);
  expect(fieldsOf((kinds['pager'] as (typeof kinds)[string]).credentials)).toEqual([
    { name: 'token', prompt: 'Token', isSecret: true },
  ]);
  expect(kinds['pager']).not.toHaveProperty('whoAmI');
});

test('the command line refuses what no channel takes for an image, whatever the schema of a package says', () => {
  const images = "media: { types: ['image/png'], maxBytes: 1_000 }, send:";
  const schema = 'z.strictObject({ text: z.string(), media: z.any() })';
  write('fax.js', published('fax').replace('z.strictObject({ text: z.string() })', schema).replace('send:', images));
  const { schemas, faults } = loadChannels(['./fax.js'], folder);
  expect(faults).toEqual([]);
  const payload = { text: 'a', media: [{ file: '../secret.png' }] };
  expect(() => checkPayload('fax', payload, schemas)).toThrow('payload.media.0.file: expected a path below');
});

test('a package beside Downspout is found too', () => {
  // It is there, and is no channel.
  expect(faultsOf('picocolors')).toEqual([expect.stringMatching(/^picocolors is no channel: .*writing-a-channel/)]);
});

test('what cannot be loaded is named with what to do, and harms no other', () => {
  write('throws.js', 'throw new Error("no licence");');
  write('needs.js', 'require("not-there");');
  write('node_modules/only-import/package.json', '{"name":"only-import","exports":{"import":"./index.js"}}');
  write('node_modules/only-import/index.js', '');
  write('good.js', published('good'));
  const sources = ['@acme/missing', './missing.js', './throws.js', './needs.js', 'only-import', './good.js'];
  const { kinds, faults, missing } = loadChannels(sources, folder);
  expect(kinds).toHaveProperty('good');
  expect([...missing.keys()]).toEqual(sources.slice(0, -1));
  expect(missing.get('./missing.js')).toBe(`there is no such file below ${folder}. Correct the path.`);
  expect(faults).toEqual([
    expect.stringMatching(/^@acme\/missing: this package is not installed here\. Run `npm install @acme\/missing` in /),
    `./missing.js: there is no such file below ${folder}. Correct the path.`,
    expect.stringMatching(/^\.\/throws\.js: the channel cannot be loaded from .*throws\.js: no licence\. Install/),
    expect.stringMatching(/^\.\/needs\.js: the channel cannot be loaded from .*: Cannot find module 'not-there'/s),
    expect.stringMatching(/^only-import: /),
  ]);
});

test('whatever a package throws is its own fault, and ends nothing else', () => {
  const field = (type: string) => published('pager').replace('text: z.string()', `text: ${type}`);
  write(
    'getter.js',
    'module.exports = { interface: 1, name: "pager", get payload() { throw new Error("no region"); } };',
  );
  write('late.js', published('pager').replace("class: 'blind'", 'get class() { throw new Error("no region"); }'));
  write('nothing.js', 'throw Object.create(null);');
  write('default.js', 'module.exports = { get default() { throw new Error("no region"); } };');
  write('custom.js', field('z.custom((value) => value.length > 0)'));
  write('slow.js', field('z.string().optional().refine(async () => true)'));
  write('good.js', published('good'));
  const names = ['getter', 'late', 'nothing', 'default', 'custom', 'slow', 'good'];
  const { kinds, schemas, faults } = loadChannels(
    names.map((name) => `./${name}.js`),
    folder,
  );
  expect(Object.keys(kinds)).toEqual([...Object.keys(channelKinds), 'good']);
  expect(Object.values(schemas).flatMap((schema) => payloadFields(schema)).length).toBeGreaterThan(10);
  expect(faults).toEqual([
    expect.stringMatching(/^\.\/getter\.js: its channel cannot be used: no region\. Correct it/),
    expect.stringMatching(/^\.\/late\.js: its channel cannot be used: no region\./),
    expect.stringMatching(/^\.\/nothing\.js: the channel cannot be loaded from .*: an error without a text\. Install/),
    expect.stringMatching(/^\.\/default\.js: the channel cannot be loaded from .*: no region\. Install/),
    expect.stringMatching(/^\.\/custom\.js: payload: its schema throws for text: undefined \(Cannot read/),
    expect.stringMatching(/^\.\/slow\.js: payload: its schema throws for /),
  ]);
});

test('a name that another channel has is refused to the second one', () => {
  write('webhook.js', published('webhook'));
  write('due.js', published('due'));
  write('one.js', published('one'));
  const again = ['./webhook.js', './due.js', './one.js', './one.js'];
  expect(faultsOf(...again)).toEqual([
    './webhook.js: the name webhook is taken already. Leave one of the two out, or rename it.',
    './due.js: the name due is taken already. Leave one of the two out, or rename it.',
    './one.js: the name one is taken already. Leave one of the two out, or rename it.',
  ]);
});

const shared = z.string();
const failing = z.strictObject({ to: z.string().optional() }).refine(() => {
  throw new Error('no region');
});
const option = { option: 'tone', placeholder: 'tone', takes: 'text', description: 'a tone' } as const;

test.each<[unknown, RegExp]>([
  [undefined, /^x is no channel: expected an object with interface, name and payload/],
  [{ ...sms, interface: 2 }, /^x was written for interface 2 of channels, and this Downspout has 1: install/],
  [{ ...sms, interface: undefined }, /^x was written for interface undefined/],
  [{ ...sms, name: 'Sms' }, /^x: its channel is called "Sms", and a name is a small letter/],
  [{ ...sms, name: 'x'.repeat(33) }, /^x: its channel is called "x+", and a name is/],
  [{ ...sms, name: '__proto__' }, /its channel is called "__proto__"/],
  [{ ...sms, payload: {} }, /^x: payload: expected z\.strictObject/],
  [{ ...sms, payload: { shape: {}, safeParse: () => undefined } }, /^x: payload: expected z\.strictObject.* of zod 4/],
  [{ ...sms, class: 'safe' }, /^x: its channel cannot be used\. class: /],
  [{ ...sms, send: undefined }, /cannot be used\. send: expected a function\./],
  [{ ...sms, send: 7, originOf: 7 }, /originOf: expected a function; send: expected a function\./],
  [{ ...sms, class: 'lookup', keyLifetimeMs: undefined, lookup: undefined }, /lookup: a channel of class lookup must/],
  [{ ...sms, class: 'blind' }, /keyLifetimeMs: only idempotent channels have it/],
  [{ ...sms, acceptedLateMs: Number.NaN }, /acceptedLateMs: /],
  [{ ...sms, prompts: {} }, /prompts: expected one for each field of the credentials: server, token/],
  [{ ...sms, options: { tone: option } }, /options: the payload has no field tone/],
  [{ ...sms, options: { text: { ...option, option: 'due' } } }, /options\.text\.option: the command line has this/],
  [
    { ...sms, options: { text: { ...option, option: 'tone-' } } },
    /options\.text\.option: expected words of small letters/,
  ],
  [
    { ...sms, options: { text: { ...option, option: 'no-reply' } } },
    /options\.text\.option: expected none that begins/,
  ],
  [{ ...sms, options: { text: { ...option, placeholder: 'a...' } } }, /options\.text\.placeholder: expected a word/],
  [{ ...sms, options: { text: { ...option, placeholder: 'a[b]' } } }, /options\.text\.placeholder: expected a word/],
  [{ ...sms, options: { text: { ...option, option: 'constructor' } } }, /options\.text\.option: every object has/],
  [{ ...sms, options: { text: { ...option, option: 'to-string' } } }, /options\.text\.option: every object has/],
  [{ ...sms, options: { to: option, text: option } }, /options: two fields have the option tone/],
  [{ ...sms, options: { text: { ...option, takes: 'entry' } } }, /options\.text\.takes: /],
  [{ ...sms, payload: z.strictObject({ to: shared, text: shared }) }, /payload: two fields share one schema object/],
  [{ ...sms, payload: failing }, /^x: payload: its schema throws for an object without fields \(no region\)/],
  [{ ...sms, credentials: failing }, /credentials: its schema throws for an object without fields \(no region\)/],
  [{ ...sms, media: { types: ['image/tiff'], maxBytes: 1 } }, /media\.types\.0: /],
])('what is no whole channel is refused (%#)', (value, message) => {
  expect(() => checkDefinition(value, 'x', ['webhook'])).toThrow(message);
});

test('the options that a channel may not take are those of the commands that take its payload', () => {
  const messages = buildProgram(['node', 'downspout', 'messages']).commands[0];
  const longs = ['schedule', 'edit'].flatMap(
    (name) => messages?.commands.find((one) => one.name() === name)?.options.map(({ long }) => long?.slice(2)) ?? [],
  );
  const ofFields = Object.values(payloads).flatMap((schema) => payloadFields(schema));
  const others = new Set(ofFields.flatMap(({ option: name, takes }) => (takes === 'entry' ? [] : [name])));
  expect(longs.length).toBeGreaterThan(10);
  expect(longs.filter((long) => !others.has(String(long)) && !TAKEN_OPTIONS.includes(String(long)))).toEqual([]);
});

test('downspout/channel is what the package exports to those who write one', () => {
  const names = execFileSync(process.execPath, ['-p', "Object.keys(require('downspout/channel')).join()"], {
    cwd: packageRoot(),
    encoding: 'utf8',
  });
  expect(names.trim()).toBe('tryChannel');
});
