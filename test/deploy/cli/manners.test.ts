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

test.each([
  'up',
  'down',
  'deploy',
  'rollback',
  'scale',
  'restart',
  'rebalance',
  'drain',
  'kill',
  'pause',
  'resume',
  'adopt',
  'provision',
  'migrate',
])('%s takes --dry-run', (name) => {
  const command = verbs.find(([path]) => path === `downspout ${name}`)?.[1];
  expect(command?.options.map(({ long }) => long)).toContain('--dry-run');
});

describe.each(verbs)('%s', (path, command) => {
  test('documents its exit codes and an example of itself that is right', () => {
    const help = helpOf(command);
    expect(help).toMatch(/^Exit codes: 0 done; 1 .+; 2 the command line is wrong\.$/m);
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
