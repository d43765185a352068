import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTopologies } from '../../../deploy/targets/topologies';
import { UserError } from '../../../topology/core/errors';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-topologies-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const read = () => readTopologies(join(folder, 'topology.yaml'));

function faults(): string[] {
  try {
    read();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message.replaceAll(`${folder}/`, '').split('\n');
  }
  return [];
}

test('topology.yaml and what it is in each environment are read', () => {
  write('topology.yaml', 'components: { webhook: {} }');
  write('topology.production.yaml', 'components: { x: {} }');
  write('topology.staging.yaml', '');
  const { base, overlays } = read();
  expect(Object.keys(base.settings.bolts)).toEqual(['webhook']);
  expect([...overlays].map(([name, { settings }]) => [name, Object.keys(settings.bolts)])).toEqual([
    ['production', ['webhook', 'x']],
    ['staging', ['webhook']],
  ]);
});

test('the faults of all files are told at once, each once, components that no channel has among them', () => {
  write('topology.yaml', 'channels: [downspout-nope]\ncomponents:\n  webhok: {}\n');
  write('topology.production.yaml', 'components:\n  webhook: { replicas: 0 }\n');
  write('topology.staging.yaml', '\ncomponents: { pigeon: {} }\n');
  expect(faults()).toEqual([
    `topology.yaml:1: channels.0 is "downspout-nope": this package is not installed here. Run \`npm install downspout-nope\` in ${folder}, or where Downspout is installed.`,
    'topology.yaml:3: components.webhok is {}: there is no such channel. Did you mean webhook?',
    expect.stringMatching(/^topology\.production\.yaml:2: components\.webhook\.replicas is 0: /),
    expect.stringMatching(
      /^topology\.staging\.yaml:2: components\.pigeon is \{\}: expected due or one of the channels/,
    ),
  ]);
});

test('a file that is not there is said', () => {
  expect(faults()).toEqual([expect.stringMatching(/^topology\.yaml: .*ENOENT/)]);
});
