import { UserError } from '../../topology/core/errors';
import { settingsOrNull } from '../../topology/settings/topology-settings';
import type { RollDirection } from './roll-order';

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

/** Judges the workers of a release while an engine replaces others by them. Each call throws Halted, or the reason when the command is to end. */
export interface Watch {
  /** Judges until the work ends. @param work is ended by its signal when the rollout has to be halted */
  during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Judges once, if it is time. */
  look(): Promise<void>;
  /**
   * Workers of these components were replaced: they are watched before others follow. Of none where it was only more of what was watched
   * already.
   */
  replaced(components: readonly string[]): Promise<void>;
  /** All were replaced: they are watched until what they do not send would be overdue. */
  end(): Promise<void>;
}

/** What an engine is to make of what runs. */
export interface EngineRollout {
  readonly release: EngineRelease;
  /** The release that ran before; null when none did. */
  readonly live: EngineRelease | null;
  /** Releases that were begun and are not done, which workers may run too. */
  readonly unfinished: readonly EngineRelease[];
  /** The release is of an older version of Downspout than workers run, or may run. */
  readonly isBack: boolean;
  readonly guard: Guard;
  readonly watch: Watch;
}

/** What runs the workers of the targets `kubernetes` and `compose`. */
export interface Engine {
  /**
   * The components of which a worker would be replaced although it runs the release already, because what it has beside that is other by
   * now: its settings, a certificate, what the name of its image stands for.
   * @param live the release that runs
   * @throws UserError with what the engine's program says; the guard's reason
   */
  outdated(live: EngineRelease, guard: Guard): Promise<readonly string[]>;
  /**
   * Makes the workers of a release run.
   * @throws UserError after it went back to what ran before, Halted where that was because of what they did; GoingBackFailed;
   *   NothingChanged; the guard's reason, with everything left as it is
   */
  deploy(rollout: EngineRollout): Promise<void>;
  /** Replaces all workers of a component at once, by ones of the same release, and returns when they are ready. */
  restart(component: string, live: EngineRelease, guard: Guard): Promise<void>;
}

/** Workers of the release became ready, and errors or lateness rose. */
export class Halted extends UserError {}

/** Some workers run the release that failed, and others one before it. */
export class GoingBackFailed extends UserError {}

/** Nothing was asked of the engine yet: what an earlier deploy has begun may still run. */
export class NothingChanged extends UserError {}

/** In which order the workers are replaced. */
export function wayTo({ release, live, unfinished, isBack }: EngineRollout): RollDirection {
  return direction(release, [...(live === null ? [] : [live]), ...unfinished], isBack);
}

/** The same where a release is taken back: who reads a stream understands what the one that failed has written for as long as that goes on. */
export function wayBack({ release, live, unfinished }: EngineRollout): RollDirection {
  return direction(live, [release, ...unfinished], true);
}

function direction(to: EngineRelease | null, from: readonly EngineRelease[], isBack: boolean): RollDirection {
  const running = from.map(({ specification }) => settingsOrNull(specification));
  return { wanted: to === null ? null : settingsOrNull(to.specification), running: () => running, isBack };
}
