import { Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../../topology/core/clock';
import { Random } from '../support/random';
import { runOn, say } from './command';
import type { Fault } from './kinds/fault';
import { faults } from './kinds/faults';
import { trial, type Verdict } from './trial';
import { Arena } from './world/arena';

interface Options {
  readonly seed: number;
  readonly minutes: number;
  readonly only: string;
}

async function main(arena: Arena): Promise<void> {
  say(`seed ${options.seed}`);
  const verdicts: Verdict[] = [];
  await run(arena, (verdict) => {
    verdicts.push(verdict);
    say(line(verdict));
  });
  const bad = verdicts.filter(({ broken }) => broken.length > 0);
  say(`seed ${options.seed}: ${verdicts.length} trials, ${bad.length} broken`);
  if (bad.length > 0) process.exitCode = 1;
}

async function run(arena: Arena, onVerdict: (verdict: Verdict) => void): Promise<void> {
  const random = new Random(options.seed);
  const chosen = faults.filter(({ name }) => new RegExp(options.only).test(name));
  const end = systemClock.monotonic() + options.minutes * 60_000;
  const one = async (fault: Fault) => {
    say(`… ${fault.name}`);
    onVerdict(await trial(arena, fault, random.integer(0, 1_000_000)));
  };
  for (const fault of random.shuffled(chosen)) await one(fault);
  while (systemClock.monotonic() < end) await one(random.pick(chosen));
}

function line({ name, messages, requests, lateness, seconds, broken }: Verdict): string {
  const figures = `${messages} messages, ${requests} requests, late ${lateness.median} ms, at most ${lateness.most} ms, ${seconds.toFixed(0)} s`;
  const shown = broken.slice(0, 10).map((what) => `\n    ${what}`);
  return `${broken.length === 0 ? 'ok ' : 'BROKEN'} ${name}: ${figures}${shown.join('')}${broken.length > 10 ? `\n    … ${broken.length} in all` : ''}`;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('expected a whole number');
  return value;
}

const options = new Command('npm run test:faults --')
  .description('Every fault under load on a stack of its own, then faults at random, each judged.')
  .option('--seed <number>', 'of the order, the moments and the load', wholeNumber, systemClock.now() % 1_000_000)
  .option(
    '--minutes <number>',
    'after every fault once, continue with faults at random until so many have passed',
    wholeNumber,
    0,
  )
  .option('--only <expression>', 'faults whose name fits this expression', '')
  .parse(process.argv)
  .opts<Options>();

void runOn(() => Arena.start(say), main);
