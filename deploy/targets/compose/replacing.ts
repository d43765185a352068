import { reasonOf, UserError } from '../../../topology/core/errors';
import type { Guard, Watch } from '../engine';
import type { Container, Services } from './services';

export interface Replacement {
  readonly service: string;
  /** How many containers it is to have. */
  readonly count: number;
  /** Only so many are replaced, unless as many are right already, and none ends beside that; undefined for all. */
  readonly canaries: number | undefined;
  /** Which new ones are to read. */
  readonly release: number;
  /** Whether a container may stay. */
  readonly isRight: (one: Container) => boolean;
  /** Whether one that may stay has to be ready before others end in its favour. */
  readonly hasToBeReady: (one: Container) => boolean;
  readonly services: Services;
  readonly guard: Guard;
  /** Judges those that are new before another one is made; undefined where nobody does. */
  readonly watch: Watch | undefined;
  readonly report: (step: 'worker' | 'undo', text: string) => void;
  /** The command that shows what they say. */
  readonly log: string;
}

/**
 * Compose itself ends all containers of a service before it makes new ones, so they are replaced one by one here.
 * @returns whether there is a new one
 */
export async function replaceContainers(replacement: Replacement): Promise<boolean> {
  const { service, count, canaries, isRight, hasToBeReady, services, guard, watch, report } = replacement;
  await guard.mayGoOn();
  await services.removeStopped(service);
  const there = await services.running(service);
  const unready = await services.unready(there.map(({ id }) => id));
  // What an earlier deploy has begun, or what did not go back, is not begun again.
  const right = there.filter(isRight);
  const own = [...right.filter(({ id }) => !unready.has(id)), ...right.filter(({ id }) => unready.has(id))];
  // First what going back has made: where canaries are taken back again, no more of what ran before is gone.
  const others = there.filter((one) => !own.includes(one));
  const old = others.toSorted((a, b) => Number(a.fingerprint !== null) - Number(b.fingerprint !== null));
  // An earlier deploy may have been ended before it knew whether what it had begun becomes ready.
  const kept = own.slice(0, count).filter(hasToBeReady);
  if (old.length > 0) await services.ready(kept.map(({ id }) => id));
  // Where none is old there is nobody to be compared with, so all are new together.
  const most = canaries === undefined ? count : Math.min(count, canaries, own.length + old.length);
  for (let made = own.length; made < most; made++) {
    await watch?.look();
    await guard.mayGoOn();
    await addOne(replacement);
    const replaced = old.shift();
    if (replaced !== undefined) await services.stop(replaced.id);
    report('worker', `${service}: ${made + 1} of ${count} are new`);
  }
  if (canaries !== undefined) return own.length < most;
  for (const { id } of [...old, ...own.slice(count)]) {
    await guard.mayGoOn();
    await services.stop(id);
  }
  await services.scaled(service, count);
  return own.length < count;
}

async function addOne({ service, release, services, report, log }: Replacement): Promise<void> {
  const before = await services.running(service);
  const added = async () => {
    const ids = new Set(before.map(({ id }) => id));
    return (await services.running(service)).filter(({ id }) => !ids.has(id));
  };
  try {
    await services.scaled(service, before.length + 1);
    const made = await added();
    // Those beside it may be unready: that is what a deploy may be to mend.
    await services.ready(made.map(({ id }) => id));
    const wrong = made.find((one) => one.release !== release);
    if (wrong !== undefined) throw new UserError(`container ${wrong.id} runs release ${wrong.release ?? 'unknown'}`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    for (const { id } of await added()) await services.remove(id);
    report('undo', `${service}: removed the container that did not become ready`);
    throw new UserError(
      `${service}: a new container did not become ready. ${before.length} run on. Its log: ${log}\n${reasonOf(error)}`,
    );
  }
}
