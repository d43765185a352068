import { systemClock } from '../../topology/core/clock';
import { reasonOf } from '../../topology/core/errors';

/** A line about what is going on. */
export function say(text: string): void {
  process.stderr.write(`${new Date(systemClock.now()).toISOString().slice(11, 19)} ${text}\n`);
}

/** Something that runs and has to be ended. */
interface Stoppable {
  stop(): Promise<void>;
}

/** Starts something, works with it, and stops it in the end, also when the command is interrupted. */
export async function runOn<T extends Stoppable>(
  start: () => Promise<T>,
  work: (one: T) => Promise<void>,
): Promise<void> {
  try {
    const one = await start();
    let ending: Promise<void> | undefined;
    const end = () => (ending ??= one.stop());
    const interrupted = (signal: string) => {
      say(`${signal}: stopping`);
      process.exitCode = 130;
      // What is under way fails as its parts end, and that is reported below, as is what could not be ended.
      end().catch(() => undefined);
    };
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, interrupted);
    try {
      await work(one);
    } finally {
      await end();
      for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, interrupted);
    }
  } catch (error) {
    say(reasonOf(error));
    process.exitCode ||= 1;
  }
}
