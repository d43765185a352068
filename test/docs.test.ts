import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import type { Command } from 'commander';
import { buildProgram } from '../deploy/cli/program';
import { channelGauges, counters, gauges, histograms, metricName } from '../topology/gauges';

const root = join(__dirname, '..');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path}`),
];
const read = (page: string) => readFileSync(join(root, page), 'utf8');
const entries = new Set(readdirSync(root));
const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;

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
      .filter((name) => !known.has(name) && !['downspout_worker', 'downspout_cdc'].includes(name))
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

/** What is wrong with the commands in a piece of code. */
function faultsOf(code: string): string[] {
  return code
    .split(/&&|;|\||#|,|…|\$\(/)
    .map((part) => part.trim().replace(/^(?:npx|eval|printf .*?) +/, ''))
    .flatMap((part) => {
      const words = part.split(/\s+/);
      if (words[0] === 'downspout' && words.length > 1) return faultsOfVerb(words.slice(1));
      if (words[0] === 'npm' && words[1] === 'run') return faultsOfScript(words.slice(2));
      if (words[0] === 'jest') return faultsOfJest(part);
      return [];
    });
}

function faultsOfVerb(words: readonly string[]): string[] {
  if (!isName(words[0])) return words[0]?.startsWith('--') ? [] : [`downspout ${words.join(' ')}: no verb`];
  let command: Command = buildProgram(['node', 'downspout', words[0] ?? '']);
  let rest = words;
  while (command.commands.length > 0 && isName(rest[0])) {
    const found = command.commands.find((one) => one.name() === rest[0]);
    if (found === undefined) return [`downspout ${words.join(' ')}: there is no ${rest[0]}`];
    command = found;
    rest = rest.slice(1);
  }
  const known = new Set(['--help', ...command.options.map(({ long }) => long)]);
  return rest
    .flatMap((word) => /^\[?(--[a-z-]+)/.exec(word)?.[1] ?? [])
    .filter((option) => !known.has(option))
    .map((option) => `downspout ${words.join(' ')}: there is no ${option}`);
}

function faultsOfScript([script = '', ...rest]: readonly string[]): string[] {
  if (!Object.hasOwn(scripts, script)) return [`npm run ${script}: there is no such script`];
  const room = script === 'test:room' ? rest[1] : undefined;
  if (room === undefined || room.startsWith('<') || existsSync(join(root, 'test', room))) return [];
  return [`npm run ${script} -- ${room}: there are no such tests`];
}

/** Patterns are paths here, so that a file that has moved is noticed. */
function faultsOfJest(command: string): string[] {
  const pattern = /--testPathPatterns '?([^'\s]+)'?/.exec(command)?.[1];
  if (pattern === undefined || pattern.includes('<')) return [];
  const folder = join(root, dirname(pattern));
  const found = existsSync(folder)
    ? readdirSync(folder).some((file) => relative(root, join(folder, file)).startsWith(pattern))
    : false;
  return found ? [] : [`${command}: no test is called so`];
}

function isName(word: string | undefined): boolean {
  return word !== undefined && /^[a-z][a-z-]*$/.test(word);
}

/** Rows of the table of figures. @param labels those of a figure that does not list its own */
function labelled(list: object, kind: string, labels: readonly string[]): string[] {
  const figures = list as Record<string, { help: string; unit: string; labels?: readonly string[] }>;
  return Object.entries(figures).map(([name, figure]) => {
    const named = (figure.labels ?? labels).map((label) => `\`${label}\``).join(', ');
    const title = metricName(name as keyof typeof gauges);
    return `| \`${title}\` | ${kind} | ${named || '–'} | ${figure.unit} | ${figure.help} |`;
  });
}
