import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDemoTopology } from '../../../deploy/demo/demo-topology';
import { readTopologyFile } from '../../../topology/settings/topology-settings';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-demo-topology-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function written(text: string, environment?: string): string {
  const path = join(folder, 'topology.yaml');
  writeFileSync(path, text);
  return writeDemoTopology({ path, environment }, ['mastodon', 'slack'], join(folder, 'demo'));
}

test('the demo deploys what the topology says, and one worker of each channel that it does not have', () => {
  const path = written('components: { due: { replicas: 3 }, webhook: { partitions: 4 }, slack: { replicas: 2 } }');
  const { spout, bolts } = readTopologyFile({ path }).settings;
  expect(spout.replicas).toBe(3);
  expect(bolts['webhook']).toMatchObject({ replicas: 2, partitions: 4 });
  expect(bolts['slack']).toMatchObject({ replicas: 2 });
  expect(bolts['mastodon']).toMatchObject({ replicas: 1 });
});

test('overrides of an environment count', () => {
  writeFileSync(join(folder, 'topology.small.yaml'), 'components: { webhook: { replicas: 1 } }');
  const path = written('components: { webhook: { replicas: 4 } }', 'small');
  expect(readTopologyFile({ path }).settings.bolts['webhook']).toMatchObject({ replicas: 1 });
});

test('packages with a path are found from where they were', () => {
  mkdirSync(join(folder, 'sms'));
  const path = written('channels: [./sms, "@acme/downspout-fax"]\ncomponents: { webhook: {} }');
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
    channels: [join(folder, 'sms'), '@acme/downspout-fax'],
  });
});
