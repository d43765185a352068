import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onPath } from '../../../deploy/stack/host/commands';
import { writeRendering } from '../../../deploy/targets/rendering';
import { renderSystemd } from '../../../deploy/targets/systemd/render';
import { drainLimitMs } from '../../../deploy/worker/drain-limit';
import { topologyOf } from '../../support/targets/topologies';

const { settings } = topologyOf('{ due: { replicas: 1 }, webhook: { replicas: 2, timeout: 40s } }');
const program = [process.execPath, '/opt/100% new/downspout.js'];
const options = {
  settings,
  topology: '/srv/down spout/50%/topology.yaml',
  environment: 'production',
  program,
  user: 'daemon',
  settingsFile: '-/etc/down spout/100%.env',
};
const files = renderSystemd(options);
const unit = (path: string) => parsed(files.find((file) => file.path === path)?.text as string);

/** A unit file as systemd reads it: keys of a section, each with all of its values. */
function parsed(text: string): Record<string, Record<string, string[]>> {
  const sections: Record<string, Record<string, string[]>> = {};
  let section: Record<string, string[]> = {};
  for (const line of text.split('\n')) {
    const [, name] = /^\[(\w+)\]$/.exec(line) ?? [];
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) section = sections[name] ??= {};
    else if (key !== undefined) section[key] = [...(section[key] ?? []), value as string];
    else if (line !== '' && !line.startsWith('#')) throw new Error(`no line of a unit: ${line}`);
  }
  return sections;
}

test('a host runs the supervisor, or the workers of the topology by one target', () => {
  expect(files.map(({ path }) => path)).toEqual([
    'downspout-supervisor.service',
    'downspout-due@.service',
    'downspout-webhook@.service',
    'downspout-workers.target',
  ]);
  expect(unit('downspout-workers.target')['Unit']?.['Wants']).toEqual([
    'downspout-due@1.service',
    'downspout-webhook@1.service',
    'downspout-webhook@2.service',
  ]);
});

test('command lines are whole: percent signs and blanks are kept', () => {
  expect(unit('downspout-webhook@.service')['Service']?.['ExecStart']).toEqual([
    `${process.execPath} "/opt/100%% new/downspout.js" worker --component=webhook`,
  ]);
});

test.each([
  { topology: '/srv/a\nExecStartPre=/bin/touch /tmp/x/topology.yaml' },
  { program: [process.execPath, '/opt/a\r\nUser=root/downspout.js'] },
])('a path with a line end is refused, because what follows it would be a line of the unit: %j', (odd) => {
  expect(() => renderSystemd({ ...options, ...odd })).toThrow(/has a line end, which no unit can hold/);
});

test('workers serve their figures where another host may ask for them, if that is wanted', () => {
  const units = renderSystemd({ ...options, statusHost: '10.0.0.5' }).map(({ text }) => text);
  expect(units.filter((text) => /^ExecStart=.* --status-host 10\.0\.0\.5$/m.test(text))).toHaveLength(3);
});

test('workers that no supervisor runs read the topology of which the units are, and its settings; the file of settings counts before', () => {
  const service = unit('downspout-webhook@.service')['Service'];
  expect(service?.['Environment']).toEqual([
    '"DOWNSPOUT_TOPOLOGY=/srv/down spout/50%%/topology.yaml"',
    'DOWNSPOUT_ENVIRONMENT=production',
  ]);
  expect(service?.['EnvironmentFile']).toEqual(['-/etc/down spout/100%%.env']);
  expect(unit('downspout-supervisor.service')['Service']?.['Environment']?.join()).not.toContain('DOWNSPOUT_');
});

test.each([
  ['downspout-supervisor.service', ['due', 'webhook']],
  ['downspout-webhook@.service', ['webhook']],
])('%s has longer to end than the drain takes, and comes back for ever', (path, components) => {
  const { Service: service, Unit: head } = unit(path);
  const seconds = Number.parseInt(service?.['TimeoutStopSec']?.[0] as string, 10);
  expect(seconds * 1_000).toBeGreaterThan(drainLimitMs(components, settings));
  expect(service).toMatchObject({ Restart: ['always'], NoNewPrivileges: ['yes'] });
  expect(head?.['StartLimitIntervalSec']).toEqual(['0']);
});

test('workers outlive a supervisor that dies, and one that is killed for want of memory takes no other along', () => {
  expect(unit('downspout-supervisor.service')['Service']).toMatchObject({
    KillMode: ['process'],
    OOMPolicy: ['continue'],
  });
});

test('workers that outlive their unit keep a folder for what they send: a private /tmp would be removed under them', () => {
  for (const { path, text } of files.filter((file) => file.path.endsWith('.service'))) {
    const { Service: service = {} } = parsed(text);
    if (service['KillMode']?.[0] !== 'process') continue;
    expect([path, service['PrivateTmp']]).toEqual([path, undefined]);
    const kept = service['StateDirectory']?.[0]?.split(' ').map((name) => `/var/lib/${name}`);
    const [, folder] = /^TMPDIR=(.*)$/.exec(service['Environment']?.[0] ?? '') ?? [];
    expect(kept).toEqual(['/var/lib/downspout', folder]);
  }
  expect(unit('downspout-supervisor.service')['Service']?.['KillMode']).toEqual(['process']);
  expect(unit('downspout-webhook@.service')['Service']).toMatchObject({ KillMode: ['mixed'], PrivateTmp: ['yes'] });
});

test('systemd has nothing to say against the units, where it is at hand', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'systemd-'));
  try {
    const own = renderSystemd({ ...options, program: [process.execPath] });
    writeRendering(folder, own);
    const analyze = await onPath('systemd-analyze');
    // Without it the tests above have to do.
    const verify = (path: string) =>
      analyze === null ? '' : spawnSync(analyze, ['verify', join(folder, path)], { encoding: 'utf8' }).stderr;
    // It also speaks of other units of this machine.
    const said = own.flatMap(({ path }) => verify(path).split('\n')).filter((line) => line.includes('downspout'));
    expect(said).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
