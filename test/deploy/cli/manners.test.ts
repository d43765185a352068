import type { Command } from 'commander';
import { buildProgram } from '../../../deploy/cli/program';
import { faultsOf } from '../../support/commands';

/** Every verb that does something, with its whole name. */
function leaves(command: Command, path: string): [path: string, command: Command][] {
  return command.commands.length === 0
    ? [[path, command]]
    : command.commands.flatMap((sub) => leaves(sub, `${path} ${sub.name()}`));
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

const verbs = leaves(buildProgram(['node', 'downspout']), 'downspout');

test('there are verbs', () => {
  expect(verbs.length).toBeGreaterThan(20);
});

/** Verbs that change and write nothing, run a process until a signal, or only print. */
const withoutDryRun = [
  'env',
  'status',
  'lag',
  'verify',
  'messages list',
  'messages show',
  'messages outcomes',
  'accounts list',
  'accounts expiring',
  'accounts show',
  'audit',
  'config',
  'completion',
  'worker',
  'plan',
  'diff',
  'history',
  'list',
  'ps',
  'logs',
  'grants',
  'providers fake',
  'render alerts',
];

test('every verb that changes or writes something takes --dry-run', () => {
  const without = verbs.filter(([, command]) => !command.options.some(({ long }) => long === '--dry-run'));
  expect(without.map(([path]) => path.replace('downspout ', '')).toSorted()).toEqual(withoutDryRun.toSorted());
});

/** Every verb that holds others, with its whole name. */
function groups(command: Command, path: string): [path: string, command: Command][] {
  const inner = command.commands.filter((sub) => sub.commands.length > 0);
  return inner.flatMap((sub) => [
    [`${path} ${sub.name()}`, sub] as [string, Command],
    ...groups(sub, `${path} ${sub.name()}`),
  ]);
}

test('verbs that hold others end their help with an example too', () => {
  const all = groups(buildProgram(['node', 'downspout']), 'downspout');
  expect(all.map(([path]) => path)).toContain('downspout render');
  for (const [path, command] of all) {
    const example = /^Example: (.+)$/m.exec(helpOf(command))?.[1] ?? '';
    expect(example).toContain(path);
    expect(faultsOf(example)).toEqual([]);
  }
});

describe.each(verbs)('%s', (path, command) => {
  test('documents its exit codes and an example of itself that is right', () => {
    const help = helpOf(command);
    expect(help).toMatch(
      /^Exit codes: 0 done; 1 .+; 2 the command line is wrong(; 4 the database lacks migrations)?\.$/m,
    );
    const example = /^Example: (.+)$/m.exec(help)?.[1] ?? '';
    expect(example).toContain(path);
    expect(faultsOf(example)).toEqual([]);
  });

  test('takes --verbose, and --json unless its output is a log or a script', () => {
    const options = command.options.map(({ long }) => long);
    expect(options).toContain('--verbose');
    const others = ['downspout worker', 'downspout logs', 'downspout completion'];
    expect(options.includes('--json') || others.includes(path)).toBe(true);
  });

  test('describes every option and argument', () => {
    expect(command.description()).not.toBe('');
    const bare = command.options.filter(({ description }) => description === '').map(({ long }) => long);
    expect(bare.filter((long) => long !== '--account' && long !== '--dedupe-key')).toEqual([]);
  });
});
