import { Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { runOn, say } from '../command';
import { HaTrial, loads } from './ha-trial';
import { partitionWithoutLeader } from './leaderless';
import { pausedPrimary } from './paused-primary';
import { trials } from './trials';

/** How soon the first message is sent after the harm, at most. Times are milliseconds. */
interface Goal {
  readonly median: number;
  readonly most: number;
}

/** Beside the time itself, a message that is due after the harm is up to 50 ms away. */
const GOALS: Readonly<Partial<Record<keyof typeof trials, Goal>>> = {
  primaryKilled: { median: 9_000, most: 13_000 },
  plannedSwitch: { median: 1_000, most: 2_000 },
};

const rows: string[] = [];

async function main(trial: HaTrial): Promise<void> {
  const old = await trial.world.oldRows();
  say(`rows of when it was one server: ${old.join(', ')}`);
  if (old.join() !== '1,1,1') process.exitCode = 1;
  for (const name of Object.keys(trials) as (keyof typeof trials)[]) {
    if (!new RegExp(options.only).test(name)) continue;
    await tryOut(trial, name, 'burst');
    const goal = GOALS[name];
    if (goal === undefined) continue;
    const firstSends: number[] = [];
    while (firstSends.length < options.rounds) firstSends.push(await tryOut(trial, name, 'trickle'));
    rows.push(row(name, firstSends, goal));
  }
  for (const one of [partitionWithoutLeader, pausedPrimary]) {
    if (!new RegExp(options.only).test(one.name)) continue;
    say(`… ${one.name}`);
    const broken = await one(trial);
    if (broken.length > 0) process.exitCode = 1;
    say(broken.length === 0 ? `ok ${one.name}` : `BROKEN ${one.name}: ${broken.join('; ')}`);
  }
  process.stdout.write(
    `\n| what happens | first send after | goal | |\n|---|---|---|---|\n${rows.map((one) => `${one}\n`).join('')}`,
  );
}

/** @returns how soon the first message was sent */
async function tryOut(trial: HaTrial, name: keyof typeof trials, load: 'burst' | 'trickle'): Promise<number> {
  say(`… ${name}, ${load}`);
  const begun = systemClock.monotonic();
  const { felt, equal } = await trials[name]({ trial, load: loads[load] });
  const seconds = Math.round((systemClock.monotonic() - begun) / 1_000);
  if (felt.broken.length > 0) process.exitCode = 1;
  say(
    `${felt.broken.length === 0 ? 'ok ' : 'BROKEN '}${name}, ${load}: first send ${felt.firstSendMs} ms, first write ${felt.firstWriteMs} ms, first change ${felt.firstChangeMs} ms; ${felt.acknowledged} calls acknowledged, ${felt.refused} refused; ${equal['scheduled_messages']} rows the same on all servers; ${seconds} s`,
  );
  for (const what of felt.broken.slice(0, 10)) say(`    ${what}`);
  return felt.firstSendMs;
}

function row(name: string, firstSends: readonly number[], goal: Goal): string {
  const measured = firstSends.map(inSeconds).join(', ');
  const sorted = firstSends.toSorted((a, b) => a - b);
  const holds = (sorted[sorted.length >> 1] ?? 0) <= goal.median && (sorted.at(-1) ?? 0) <= goal.most;
  if (!holds) process.exitCode = 1;
  return `| ${name} | ${measured} | median ≤ ${inSeconds(goal.median)}, none above ${inSeconds(goal.most)} | ${holds ? 'holds' : 'MISSED'} |`;
}

function inSeconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number from 1');
  return value;
}

const options = new Command('npm run test:ha --')
  .description(
    'Kills and reboots each server, broker and Connect worker of a highly available stack under load, and judges.',
  )
  .option('--rounds <number>', 'of what has a goal', wholeNumber, 3)
  .option('--only <pattern>', 'names of trials, as a regular expression', '')
  .parse()
  .opts<{ rounds: number; only: string }>();

void runOn(() => HaTrial.start(say, true), main);
