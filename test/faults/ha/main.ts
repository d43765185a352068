import { Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { reasonOf } from '../../../topology/core/errors';
import { runOn, say } from '../command';
import { type Felt, HaTrial, loads } from './ha-trial';
import { partitionWithoutLeader } from './leaderless';
import { pausedPrimary } from './paused-primary';
import { trials } from './trials';

/** How long messages stand still, at most. Times are milliseconds. */
interface Goal {
  readonly of: 'silentMs' | 'sendsAgainMs';
  readonly median: number;
  readonly most: number;
}

const GOALS: Readonly<Partial<Record<keyof typeof trials, Goal>>> = {
  primaryKilled: { of: 'sendsAgainMs', median: 9_000, most: 13_000 },
  plannedSwitch: { of: 'silentMs', median: 1_000, most: 2_000 },
};
const WORDS = { silentMs: 'without a send', sendsAgainMs: 'until sends go on' };

/** As runOn says it. */
const INTERRUPTED = 130;
const rows: string[] = [];

async function main(trial: HaTrial): Promise<void> {
  const old = await trial.world.oldRows();
  say(`rows of when it was one server: ${old.join(', ')}`);
  if (old.join() !== '1,1,1') process.exitCode = 1;
  for (const name of Object.keys(trials) as (keyof typeof trials)[]) {
    if (!wanted(name)) continue;
    await tryOut(trial, name, 'burst');
    const goal = GOALS[name];
    if (goal === undefined) continue;
    const measured: number[] = [];
    for (let n = 0; n < options.rounds; n++) {
      const felt = await tryOut(trial, name, 'trickle');
      measured.push(felt?.[goal.of] ?? Number.POSITIVE_INFINITY);
    }
    rows.push(row(name, measured, goal));
  }
  for (const one of [partitionWithoutLeader, pausedPrimary]) {
    if (wanted(one.name)) await judged(trial, one.name, async () => ({ text: '', broken: await one(trial) }));
  }
  process.stdout.write(
    `\n| what happens | what is measured | measured | goal | |\n|---|---|---|---|---|\n${rows.map((one) => `${one}\n`).join('')}`,
  );
}

function wanted(name: string): boolean {
  return new RegExp(options.only).test(name);
}

/** @returns null when it broke off */
async function tryOut(trial: HaTrial, name: keyof typeof trials, load: 'burst' | 'trickle'): Promise<Felt | null> {
  let known: Felt | null = null;
  await judged(trial, `${name}, ${load}`, async () => {
    const { felt, equal } = await trials[name]({ trial, load: loads[load] });
    known = felt;
    const text = `: ${felt.silentMs} ms without a send, sends again after ${felt.sendsAgainMs} ms, first write ${felt.firstWriteMs} ms, first change ${felt.firstChangeMs} ms; ${felt.acknowledged} calls acknowledged, ${felt.refused} refused; ${equal['scheduled_messages']} rows the same on all servers`;
    return { text, broken: felt.broken };
  });
  return known;
}

/** Says how a trial ended. What breaks one does not keep the others from being tried. */
async function judged(
  { world }: HaTrial,
  what: string,
  work: () => Promise<{ readonly text: string; readonly broken: readonly string[] }>,
): Promise<void> {
  say(`… ${what}`);
  const begun = systemClock.monotonic();
  let text = '';
  let broken: readonly string[];
  try {
    ({ text, broken } = await work());
  } catch (error) {
    if (process.exitCode === INTERRUPTED) throw error;
    broken = [reasonOf(error)];
    await world.up();
  }
  const seconds = Math.round((systemClock.monotonic() - begun) / 1_000);
  say(`${broken.length === 0 ? 'ok' : 'BROKEN'} ${what}${text}; ${seconds} s`);
  for (const fault of broken.slice(0, 10)) say(`    ${fault}`);
  if (broken.length > 0) process.exitCode = 1;
}

function row(name: string, measured: readonly number[], goal: Goal): string {
  const sorted = measured.toSorted((a, b) => a - b);
  const holds = (sorted[sorted.length >> 1] ?? 0) <= goal.median && (sorted.at(-1) ?? 0) <= goal.most;
  if (!holds) process.exitCode = 1;
  return `| ${name} | ${WORDS[goal.of]} | ${measured.map(inSeconds).join(', ')} | median ≤ ${inSeconds(goal.median)}, none above ${inSeconds(goal.most)} | ${holds ? 'holds' : 'MISSED'} |`;
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
    'Kills, reboots and pauses each server, broker and Connect worker of a highly available stack under load, and judges.',
  )
  .option('--rounds <number>', 'of what has a goal', wholeNumber, 3)
  .option('--only <pattern>', 'names of trials, as a regular expression', '')
  .parse()
  .opts<{ rounds: number; only: string }>();

void runOn(() => HaTrial.start(say, true), main);
