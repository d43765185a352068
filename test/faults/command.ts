import { systemClock } from '../../topology/core/clock';
import { reasonOf } from '../../topology/core/errors';
import { Arena } from './arena';

/** A line about what is going on. */
export function say(text: string): void {
  process.stderr.write(`${new Date(systemClock.now()).toISOString().slice(11, 19)} ${text}\n`);
}

/** Runs a command on an arena of its own, which is stopped in the end, also when the command is interrupted. */
export async function runOnArena(work: (arena: Arena) => Promise<void>): Promise<void> {
  try {
    const arena = await Arena.start(say);
    let ending: Promise<void> | undefined;
    const end = () => (ending ??= arena.stop());
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        say(`${signal}: stopping`);
        process.exitCode = 130;
        // What is under way fails as its parts end, and that is reported below.
        void end();
      });
    }
    try {
      await work(arena);
    } finally {
      await end();
    }
  } catch (error) {
    say(reasonOf(error));
    process.exitCode ||= 1;
  }
}
