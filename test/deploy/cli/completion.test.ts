import { execFileSync } from 'node:child_process';
import { completedVerbs, scripts } from '../../../deploy/cli/completion';
import { buildProgram } from '../../../deploy/cli/program';
import { packageRoot } from '../../../topology/settings/package';

const names = { components: ['due', 'webhook'], channels: ['webhook'], environments: ['production', 'staging'] };
const verbs = completedVerbs(buildProgram(['node', 'downspout']), names);
const script = (shell: string) => scripts[shell]?.(verbs) ?? '';

/** What bash offers when the last of the words is being typed. */
function offered(...words: string[]): string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const ask = `${script('bash')}\nCOMP_WORDS=(downspout ${quoted}); COMP_CWORD=${words.length}; _downspout; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', ask], { encoding: 'utf8', cwd: packageRoot() }).trim().split('\n');
}

test.each([
  [['pau'], ['pause']],
  [
    ['messages', 're'],
    ['resolve', 'redrive', 'resume'],
  ],
  [['messages', 'list', '--sta'], ['--state']],
  [['messages', 'list', '--state', 'sc'], ['scheduled']],
  [
    ['messages', 'list', '--json', '--due-'],
    ['--due-from', '--due-until'],
  ],
  [
    ['worker', '--component', ''],
    ['due', 'webhook'],
  ],
  [['pause', 'we'], ['webhook']],
  [['scale', 'webhook=6', 'd'], ['due=']],
  [['plan', '--environment', 's'], ['staging']],
  [['deploy', '--out', 'package.j'], ['package.json']],
  [['supervisor', '--state', 'package.j'], ['package.json']],
  [['init', 'package.j'], ['package.json']],
  [['messages', 'import', 'package.j'], ['package.json']],
  [['plan', 'package.j'], ['']],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish', '--verbose', '--no-color', '--help'],
  ],
  [['status', '--no'], ['--no-color']],
])('bash completes %j to %j', (words, wanted) => {
  expect(offered(...words)).toEqual(wanted);
});

test.each(['bash', 'zsh', 'fish'])('the script for %s knows every verb with its sub-verbs', (shell) => {
  const text = script(shell);
  for (const { path } of verbs) for (const word of path.split(' ')) expect(text).toContain(word);
  expect(text).not.toContain('undefined');
});
