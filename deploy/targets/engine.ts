import { UserError } from '../../topology/core/errors';

/** A release that an engine runs. */
export interface EngineRelease {
  readonly number: number;
  readonly specification: unknown;
  readonly image: string;
}

/** What an engine asks before it changes anything, because minutes pass between its steps. */
export interface Guard {
  /** Aborts when the command is to end, or has lost the right to deploy: programs that run are ended. */
  readonly signal: AbortSignal;
  /** @throws the reason when this command may change nothing any more */
  readonly mayGoOn: () => Promise<void>;
}

/** What runs the workers of the targets `kubernetes` and `compose`. */
export interface Engine {
  /**
   * Makes the workers of a release run.
   * @param live the release that ran before; null when none did
   * @param unfinished releases that were begun and are not done, which workers may run too
   * @throws UserError after it went back to that; GoingBackFailed; NothingChanged; the guard's reason, with everything left as it is
   */
  deploy(
    release: number,
    live: EngineRelease | null,
    guard: Guard,
    unfinished: readonly EngineRelease[],
  ): Promise<void>;
  /** Replaces all workers of a component at once, by ones of the same release, and returns when they are ready. */
  restart(component: string, live: EngineRelease, guard: Guard): Promise<void>;
}

/** Some workers run the release that failed, and others one before it. */
export class GoingBackFailed extends UserError {}

/** Nothing was asked of the engine yet: what an earlier deploy has begun may still run. */
export class NothingChanged extends UserError {}
