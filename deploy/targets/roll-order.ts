import type { TopologySettings } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { doSpoutsWait } from './worker-key';

/** When the workers of a component are replaced: those of 0 first, those of 2 last. */
export type Turn = 0 | 1 | 2;

export const turns: readonly Turn[] = [0, 1, 2];

export interface RollDirection {
  /** What workers are to run; null when that cannot be read. */
  readonly wanted: TopologySettings | null;
  /** What the workers of a component run that are to be replaced; null for what cannot be read. */
  readonly running: (component: string) => readonly (TopologySettings | null)[];
  /** To what an older version of Downspout ran, or may have. */
  readonly isBack: boolean;
}

/**
 * The order in which the components of a release are replaced, where their workers are replaced one by one.
 *
 * 1. *Bolts come before the spout, and going back it comes before them*, because who reads a stream has to understand what a newer
 *    writer says.
 * 2. *A bolt whose time-out rises comes after the spout, and one whose time-out falls before it*: spouts that know a shorter
 *    time-out than a bolt has would have its messages looked up while they can still be accepted, and sent twice. Spouts whose
 *    settings cannot be read may know a shorter one. On the target local a worker that still drains after a minute is waited for no
 *    longer: where a time-out of more than that falls, its last requests may meet spouts that know the shorter one.
 */
export function turnOf(component: string, { wanted, running, isBack }: RollDirection): Turn {
  if (component === SPOUT) return 1;
  const usual = isBack ? 2 : 0;
  const timeoutMs = wanted?.bolts[component]?.timeoutMs;
  if (timeoutMs === undefined || !doSpoutsWait(component)) return usual;
  const timeouts = (of: string) => running(of).flatMap((one) => one?.bolts[component]?.timeoutMs ?? []);
  if (running(SPOUT).includes(null) || timeouts(SPOUT).some((one) => one < timeoutMs)) return 2;
  return timeouts(component).some((one) => one > timeoutMs) ? 0 : usual;
}

/** Components in stages: all of one are replaced before any of the next. */
export function stagesOf(components: readonly string[], direction: RollDirection): string[][] {
  const stages = turns.map((turn) => components.filter((component) => turnOf(component, direction) === turn));
  return stages.filter((stage) => stage.length > 0);
}

/** The order where nothing but the way forward is known. */
export function boltsFirst(component: string): Turn {
  return component === SPOUT ? 1 : 0;
}
