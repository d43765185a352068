import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { channelGauges, counters, gauges, histograms, metricName } from '../topology/gauges';
import { isTest, repository } from './house/sources';
import { faultsOf } from './support/commands';

const root = join(__dirname, '..');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path}`),
];
const read = (page: string) => readFileSync(join(root, page), 'utf8');
/** What a stack keeps in its folder is no part of the repository, and is there only while or after one runs. */
const entries = new Set(readdirSync(root).filter((name) => name !== '.downspout'));

/** Code of a page, piece by piece: every line of its blocks, and what stands between back-ticks. */
function codeOf(page: string): string[] {
  // A line that ends in a backslash goes on in the next one.
  const text = read(page).replaceAll(/\\\n\s*/g, ' ');
  const blocks = [...text.matchAll(/^```.*\n([\s\S]*?)^```/gm)].flatMap(([, block]) => (block ?? '').split('\n'));
  const inline = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '');
  return [...blocks, ...inline].map((code) => code.replaceAll('\\|', '|'));
}

/** `a/{b,c}.ts` as a shell reads it. */
function expanded(path: string): string[] {
  const match = /^(.*)\{([^{}]+)\}(.*)$/.exec(path);
  if (match === null) return [path];
  const [, before = '', choices = '', after = ''] = match;
  return choices.split(',').flatMap((choice) => expanded(`${before}${choice}${after}`));
}

/** Paths of this repository that the page names. A part in angle brackets or a star stands for any name. */
function pathsOf(page: string): string[] {
  const links = [...read(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
    .map(([, target]) => target ?? '')
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(page), target)));
  const named = codeOf(page)
    .flatMap((code) => code.replace(/--testPathPatterns \S+/, '').split(/[\s'"()|]+/))
    .flatMap(expanded)
    .filter((token) => /^[\w.-]+(?:\/[\w.<>*-]+)*\/?$/.test(token))
    .filter(
      (token) =>
        (token.includes('/') && entries.has(token.split('/')[0] ?? '')) || /\/.*\.(?:ts|mjs|sql|md)$/.test(token),
    );
  return [...new Set([...links, ...named])];
}

function exists(path: string): boolean {
  const anyName = path.search(/[^/]*[<*]/);
  return existsSync(join(root, anyName === -1 ? path : path.slice(0, anyName)));
}

describe.each(pages)('%s', (page) => {
  test('every path that it names exists', () => {
    expect(pathsOf(page).filter((path) => !exists(path))).toEqual([]);
  });

  test('every command that it names exists, with its options', () => {
    expect(codeOf(page).flatMap(faultsOf)).toEqual([]);
  });
});

test('every command that the program itself names exists, with its options', () => {
  const named = [...repository()]
    .filter(([path]) => !isTest(path))
    .flatMap(([path, text]) =>
      [...text.matchAll(/\\?`(downspout [a-z][^`\\$]*)[\\`$]/g)].map(([, command]) => [path, command ?? ''] as const),
    );
  expect(named.length).toBeGreaterThan(100);
  expect(named.flatMap(([path, command]) => faultsOf(command).map((fault) => `${path}: ${fault}`))).toEqual([]);
});

test.each(['README.md', 'CONTRIBUTING.md'])('the lines of %s fit a screen', (page) => {
  expect(
    read(page)
      .split('\n')
      .filter((line) => Array.from(line).length > 110),
  ).toEqual([]);
});

test('docs/operating.md has every figure of a worker, as topology/gauges.ts describes it, and no other', () => {
  const wanted = [
    ...labelled(gauges, 'gauge', ['component']),
    ...labelled(channelGauges, 'gauge', ['component', 'channel']),
    ...labelled(counters, 'counter', []),
    ...labelled(histograms, 'histogram', []),
  ];
  const found = (read('docs/operating.md').split('## Every figure')[1] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| `downspout_'));
  expect(found).toEqual(wanted);
});

test('every figure that a page or the dashboard names is one of a worker', () => {
  const known = new Set(
    [...Object.keys(gauges), ...Object.keys(channelGauges), ...Object.keys(counters), ...Object.keys(histograms)].map(
      (name) => `downspout_${name}`,
    ),
  );
  const dashboard = 'deploy/monitoring/grafana/dashboards/workers.json';
  const unknown = [...pages, dashboard].flatMap((page) =>
    [...read(page).matchAll(/\bdownspout_[a-z_]+/g)]
      .map(([name]) => name.replace(/_bucket$/, ''))
      .filter((name) => !known.has(name) && !/^downspout_(?:worker|cdc|haproxy|replication|pair)$/.test(name))
      .map((name) => `${page}: ${name}`),
  );
  expect(unknown).toEqual([]);
});

test('a path, a verb, an option, a script and a test that do not exist are found', () => {
  expect(exists('bolts/no-such.ts')).toBe(false);
  expect(exists('bolts/<name>.ts')).toBe(true);
  expect(exists('no-such/<name>.ts')).toBe(false);
  expect(expanded('a/{b,c}/{d,e}.ts')).toEqual(['a/b/d.ts', 'a/c/d.ts', 'a/b/e.ts', 'a/c/e.ts']);
  expect(faultsOf('npx downspout status --json && downspout lag')).toEqual([]);
  expect(faultsOf('downspout stauts')).toHaveLength(1);
  expect(faultsOf('downspout messages shwo 7')).toHaveLength(1);
  expect(faultsOf('downspout messages redrive --al')).toHaveLength(1);
  expect(faultsOf('npm run no-such')).toHaveLength(1);
  expect(faultsOf("npx jest --selectProjects alone --testPathPatterns 'test/no-such'")).toHaveLength(1);
  expect(faultsOf('npm run test:room -- no-such')).toHaveLength(1);
});

/** Rows of the table of figures. @param labels those of a figure that does not list its own */
function labelled(list: object, kind: string, labels: readonly string[]): string[] {
  const figures = list as Record<string, { help: string; unit: string; labels?: readonly string[] }>;
  return Object.entries(figures).map(([name, figure]) => {
    const named = (figure.labels ?? labels).map((label) => `\`${label}\``).join(', ');
    const title = metricName(name as keyof typeof gauges);
    return `| \`${title}\` | ${kind} | ${named || '–'} | ${figure.unit} | ${figure.help} |`;
  });
}
