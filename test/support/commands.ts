import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Command } from 'commander';
import { buildProgram } from '../../deploy/cli/program';

const root = join(__dirname, '..', '..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

/** What is wrong with the commands in a piece of code. */
export function faultsOf(code: string): string[] {
  return code
    .split(/&&|;|\||#|,|…|\$\(/)
    .map((part) =>
      part
        .trim()
        .replace(/\)"?$/, '')
        .replace(/^(?:npx|eval|printf .*?) +/, ''),
    )
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
