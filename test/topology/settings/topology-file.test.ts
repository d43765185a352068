import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../../topology/core/errors';
import { readEnvironment } from '../../../topology/settings/environment';
import {
  parseSpecification,
  parseTopologySettings,
  readTopologyFile,
  topologyOf,
} from '../../../topology/settings/topology-settings';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-topology-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string | Buffer): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

/** What is said, without the folder. */
function faultsOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message.replaceAll(`${folder}/`, '').split('\n');
  }
  return [];
}

/** @param names of the channels that there are, whichever packages a file names @param missing packages, and why */
const faultsIn = (text: string, names?: readonly string[], missing: Readonly<Record<string, string>> = {}) =>
  faultsOf(() =>
    readTopologyFile({
      path: file('t.yaml', text),
      ...(names === undefined
        ? {}
        : {
            channels: (packages) => ({
              names,
              missing: new Map(packages.flatMap((one) => (missing[one] === undefined ? [] : [[one, missing[one]]]))),
            }),
          }),
    }),
  );

const THIRTEEN_FAULTS = `channels:
  - picocolors
  - "@acme/sms"
components:
  due:
    lead: soon
    partitions: 300
  webhook:
    replicas: 0
    concurency: 10
    perHost: 3
    maxHeldBytes: 64MB
    backOff: 2h
    timeout: [1]
    timeout: 10s
  second letter: {}
  webhok: { replicas: 0 }
topics:
  replicationFactor: 2
  minInsyncReplicas: 3
`;

describe('the faults of a topology file', () => {
  it('are told all at once, with file, line, field, value and what is allowed: thirteen of them are thirteen lines', () => {
    const missing = { '@acme/sms': 'this package is not installed here.' };
    expect(faultsIn(THIRTEEN_FAULTS, ['webhook'], missing)).toEqual([
      't.yaml:3: channels.1 is "@acme/sms": this package is not installed here.',
      't.yaml:6: components.due.lead is "soon": expected a time from 0ms to 1min, with its unit (ms, s, min, m, h, d, w), for example 30s',
      't.yaml:7: components.due.partitions is 300: expected a whole number from 1 to 256',
      't.yaml:9: components.webhook.replicas is 0: expected a whole number from 1 to 256',
      't.yaml:10: components.webhook.concurency is 10: there is no such setting. Did you mean concurrency?',
      't.yaml:11: components.webhook.perHost is 3: perHost is called perOrigin now: write that instead',
      't.yaml:12: components.webhook.maxHeldBytes is "64MB": expected a size from 1B to 64GiB, with its unit (B, KiB, MiB, GiB), for example 128MiB',
      't.yaml:13: components.webhook.backOff is "2h": it is more than backOffMax (1h), and no delay is longer than backOffMax',
      't.yaml:15: Map keys must be unique',
      't.yaml:16: components.second letter is {}: a name is a letter and then up to 31 letters, digits, "_" or "-"',
      't.yaml:17: components.webhok.replicas is 0: expected a whole number from 1 to 256',
      't.yaml:17: components.webhok is {"replicas":0}: there is no such channel. Did you mean webhook?',
      't.yaml:20: topics.minInsyncReplicas is 3: it is more than replicationFactor (2), and a topic with fewer copies takes no records',
    ]);
  });

  it.each([
    ['components: { due: { concurrency: 1 } }', /components\.due\.concurrency is 1: there is no such setting/],
    ['components: { due: { lead: -1 } }', /components\.due\.lead is -1: expected a time from 0ms to 1min/],
    [
      'components: { webhook: { timeout: 2h } }',
      /components\.webhook\.timeout is "2h": expected a time from 100ms to 1h/,
    ],
    ['components: { webhook: { timeout: 10 s 5 } }', /timeout is "10 s 5": expected a time/],
    ['components: { webhook: { replicas: "2" } }', /replicas is "2": expected a whole number/],
    ['components: { webhook: { replicas: 1.5 } }', /replicas is 1\.5: expected a whole number/],
    ['components: { webhook: { backOff: 0s } }', /backOff is "0s": expected a time from 1ms to 1d/],
    [
      'components: { webhook: { sendWithin: 60d } }',
      /sendWithin is "60d": expected a time from 1s to 49d, .*for example 30s, or none$/,
    ],
    ['components: { webhook: { sendWithin: never } }', /sendWithin is "never": expected a time from 1s to 49d/],
    [
      'components: { x: { limits: { perAccount: { rate: 100/15 } } } }',
      /components\.x\.limits\.perAccount\.rate is "100\/15": expected requests and a time/,
    ],
    ['components: { x: { limits: { perApp: { rate: 5/10d } } } }', /rate is "5\/10d": .* from 1s to 7d/],
    ['components: { x: { limits: { perApp: { rate: 0/1s } } } }', /rate is "0\/1s": expected requests and a time/],
    ['components: { x: { limits: { perAccount: { gap: 2h } } } }', /gap is "2h": expected a time from 0ms to 1h/],
    ['components: { x: { limits: { perAccount: { day: 2 } } } }', /day is 2: there is no such setting\. .*perDay/],
    ['components: { x: { limits: { account: {} } } }', /account is \{\}: there is no such setting\. .*perAccount/],
    ['components: { x: { limits: none } }', /limits is "none": expected a map of settings/],
    ['components: { webhook: { onLate: drop } }', /onLate is "drop": expected send, skip, suspend$/],
    ['components: { webhook: { attempts: 12 } }', /attempts is 12: attempts is called giveUpAfter now/],
    ['components: { webhook: }', /components\.webhook is null: expected a map of settings/],
    ['components: [a]', /components is \["a"\]: expected a map of settings/],
    ['component: {}', /component is \{\}: there is no such setting\. Did you mean components\?/],
    ['', /the whole is null: expected a map of settings/],
    ['topics: {}', /components is missing: expected a map of settings/],
    ['components: { __proto__: { replicas: 1 } }', /components\.__proto__ is .*a name is a letter/],
    ['components: !x { webhook: {} }', /t\.yaml:1: Unresolved tag: !x/],
    ['a: &a [*a, *a]\ncomponents: {}', /t\.yaml:1: .*circular/],
  ])('name what is wrong: %s', (text, expected) => {
    expect(faultsIn(text).join('\n')).toMatch(expected);
  });

  it('of the syntax are told alone, because nothing behind them can be trusted', () => {
    expect(faultsIn('components:\n  webhook: {\n  due: [')).not.toEqual([]);
    expect(faultsIn('components:\n\twebhook: {}').join()).toMatch(/t\.yaml:2: Tabs are not allowed as indentation/);
  });

  it('tell that more replicas than partitions would have nothing to do', () => {
    const why =
      'a partition has one worker at a time, so the others would have nothing to do. Raise partitions, or lower replicas';
    expect(faultsIn('components:\n  webhook:\n    replicas: 9')).toEqual([
      `t.yaml:3: components.webhook.replicas is 9: it is more than partitions (8), and ${why}`,
    ]);
    expect(faultsIn('components:\n  due:\n    partitions: 1')).toEqual([
      `t.yaml:3: components.due.partitions is 1: it is less than replicas (2 unless given), and ${why}`,
    ]);
    expect(faultsIn('components:\n  due: { replicas: 1, partitions: 1 }')).toEqual([]);
  });

  it('tell of a channel that there is not, for those who know the channels', () => {
    expect(faultsIn('components: { due: {}, webhok: {} }', ['webhook'])).toEqual([
      't.yaml:1: components.webhok is {}: there is no such channel. Did you mean webhook?',
    ]);
    expect(faultsIn('components: { fax: {} }', ['webhook'])).toEqual([
      't.yaml:1: components.fax is {}: expected due or one of the channels webhook',
    ]);
    expect(faultsIn('components: { fax: {} }')).toEqual([]);
    const missing = { '@acme/fax': 'this package is not installed here.' };
    expect(faultsIn('channels: ["@acme/fax"]\ncomponents: { fax: {} }', ['webhook'], missing)).toEqual([
      't.yaml:1: channels.0 is "@acme/fax": this package is not installed here.',
      't.yaml:2: components.fax is {}: expected due or one of the channels webhook, or that of @acme/fax',
    ]);
  });

  it('name the entry of a list that is wrong, where it stands', () => {
    expect(faultsIn('channels:\n  - good\n  - ./own.js\n  - https://x.test/a.js\ncomponents: {}')).toEqual([
      't.yaml:4: channels.2 is "https://x.test/a.js": expected the name of a package, such as @acme/downspout-sms, or a path that begins with ./, ../ or /',
    ]);
  });

  it('of the syntax are told without loading any package', () => {
    const load = jest.fn();
    const path = file('t.yaml', 'channels: [a]\ncomponents:\n\twebhook: {}');
    expect(() => readTopologyFile({ path, channels: load })).toThrow(UserError);
    expect(load).not.toHaveBeenCalled();
  });

  it('show no more than the beginning of a long value', () => {
    expect(faultsIn(`components: { webhook: { lead: ${'x'.repeat(500)} } }`)[0]?.length).toBeLessThan(350);
  });

  it('of a specification that is no file name where it comes from', () => {
    const given = { components: { webhook: { replicas: 0 } } };
    expect(faultsOf(() => parseSpecification(given, 'release 7'))).toEqual([
      'release 7: components.webhook.replicas is 0: expected a whole number from 1 to 256',
    ]);
    expect(faultsOf(() => parseSpecification('nonsense', 'release 7'))).toEqual([
      'release 7: the whole is "nonsense": expected a map of settings',
    ]);
  });
});

const BASE = 'components:\n  due:\n    lead: 3s\n  webhook:\n    replicas: 2\n    timeout: 5s\n  second: {}\n';

describe('an environment', () => {
  it('changes what its file names, adds components and removes them with null', () => {
    const path = file('topology.yaml', BASE);
    file(
      'topology.production.yaml',
      'topics: { replicationFactor: 3 }\ncomponents:\n  webhook: { replicas: 6, timeout: null }\n  second: null\n  third: {}\n',
    );
    const { specification, settings, files } = readTopologyFile({ path, environment: 'production' });
    expect(specification).toEqual({
      components: { due: { lead: '3s' }, webhook: { replicas: 6 }, third: {} },
      topics: { replicationFactor: 3 },
    });
    expect(Object.keys(settings.bolts)).toEqual(['webhook', 'third']);
    expect(files).toEqual([path, join(folder, 'topology.production.yaml')]);
    expect(parseSpecification(JSON.parse(JSON.stringify(specification)), 'release 1')).toEqual(settings);
  });

  it('has its faults in the file that gave the value', () => {
    const path = file('topology.yaml', BASE.replace('timeout: 5s', 'timeout: never'));
    file('topology.staging.yaml', '\ncomponents:\n  webhook:\n    replicas: 12\n  fourth: null\n');
    expect(faultsOf(() => readTopologyFile({ path, environment: 'staging' }))).toEqual([
      expect.stringMatching(/^topology\.yaml:6: components\.webhook\.timeout is "never": /),
      expect.stringMatching(
        /^topology\.staging\.yaml:4: components\.webhook\.replicas is 12: it is more than partitions \(8\)/,
      ),
      'topology.staging.yaml:5: components.fourth is null, which removes it, but topology.yaml does not have it',
    ]);
  });

  it('may have an empty file, and must have one', () => {
    const path = file('topology.yaml', BASE);
    file('topology.test.yaml', '# nothing differs\n');
    expect(readTopologyFile({ path, environment: 'test' }).specification).toEqual(
      readTopologyFile({ path }).specification,
    );
    expect(faultsOf(() => readTopologyFile({ path, environment: 'prod' })).join()).toMatch(
      /topology\.prod\.yaml: .*ENOENT.*The environment is prod, and beside topology\.yaml there are files for test/,
    );
  });

  it('is chosen by DOWNSPOUT_ENVIRONMENT', () => {
    const path = file('topology.yaml', BASE);
    file('topology.test.yaml', 'components: { webhook: { replicas: 7 } }');
    const environment = readEnvironment({}, { DOWNSPOUT_TOPOLOGY: path, DOWNSPOUT_ENVIRONMENT: 'test' });
    expect(topologyOf(environment).bolts['webhook']?.replicas).toBe(7);
    expect(() => readEnvironment({}, { DOWNSPOUT_ENVIRONMENT: '../x' })).toThrow(/DOWNSPOUT_ENVIRONMENT: expected/);
  });
});

test('a file may be in UTF-16, as PowerShell writes it; one in another encoding is refused by line', () => {
  const path = file('topology.yaml', Buffer.from(`\ufeff${BASE}`, 'utf16le'));
  expect(readTopologyFile({ path }).specification).toEqual(
    readTopologyFile({ path: file('utf8.yaml', BASE) }).specification,
  );
  file('topology.yaml', Buffer.from(`${BASE}\n# gr\xfcn`, 'latin1'));
  expect(faultsOf(() => readTopologyFile({ path }))).toEqual([
    expect.stringMatching(/^topology\.yaml: line \d+ has bytes that are not UTF-8; save the file in UTF-8\.$/),
  ]);
});

test('a file that is not there is said with what to do', () => {
  mkdirSync(join(folder, 'topology.yaml'));
  for (const name of ['nothing.yaml', 'topology.yaml']) {
    expect(() => readTopologyFile({ path: join(folder, name) })).toThrow(/E\w+.*Set DOWNSPOUT_TOPOLOGY to the path/);
  }
});

const boltOf = (text: string) => parseTopologySettings(`components: { x: { ${text} } }`, 't.yaml').bolts['x'];

test('how long a message may be late is a time, none, or left to the channel', () => {
  expect(boltOf('')).toMatchObject({ sendWithinMs: undefined, onLate: 'suspend', backlog: 'oldest' });
  expect(boltOf('backlog: newest')?.backlog).toBe('newest');
  expect(boltOf('sendWithin: 36h, onLate: skip')).toMatchObject({ sendWithinMs: 129_600_000, onLate: 'skip' });
  expect(boltOf('sendWithin: 1500')?.sendWithinMs).toBe(1_500);
  expect(boltOf('sendWithin: none')?.sendWithinMs).toBeNull();
});

test('limits are rates, a number a day and a gap, of an account and of all together; nothing in a scope is no limit', () => {
  expect(boltOf('')?.limits).toBeUndefined();
  const perAccount = { rate: '100/15min', perDay: 250, gap: '2s' };
  expect(boltOf(`limits: ${JSON.stringify({ perAccount, perApp: {} })}`)?.limits).toEqual({
    perAccount: {
      rates: [
        { count: 100, windowMs: 900_000 },
        { count: 250, windowMs: 86_400_000 },
      ],
      gapMs: 2_000,
    },
    perApp: { rates: [], gapMs: 0 },
  });
  expect(boltOf('limits: { perApp: { rate: 50 / 1 s } }')?.limits?.perApp?.rates).toEqual([
    { count: 50, windowMs: 1_000 },
  ]);
});

test('a text is read as a file is', () => {
  expect(faultsOf(() => parseTopologySettings('components: { due: { lead: x } }', 'here'))[0]).toMatch(/^here:1: /);
});
