import type { TopologySettings } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { doSpoutsWait } from './worker-key';

/** When the workers of a component are replaced: those of 0 first, those of 2 last. */
export type Turn = 0 | 1 | 2;

export interface RollDirection {
  /** What workers are to run; null when that cannot be read. */
  readonly wanted: TopologySettings | null;
  /** What the workers of a component run that are to be replaced, as far as it can be read. */
  readonly running: (component: string) => readonly TopologySettings[];
}

/**
 * The order in which the components of a release are replaced, on every target.
 *
 * 1. *Bolts come before the spout*, because who reads a stream has to understand what a newer writer says.
 * 2. *A bolt whose time-out rises comes after the spout*, and one whose time-out falls before it: spouts that know a shorter
 *    time-out than a bolt has would have its messages looked up while they can still be accepted, and sent twice.
 */
export function turnOf(component: string, { wanted, running }: RollDirection): Turn {
  const timeoutMs = wanted?.bolts[component]?.timeoutMs;
  if (timeoutMs === undefined || !doSpoutsWait(component)) return boltsFirst(component);
  const isShorter = ({ bolts }: TopologySettings) => (bolts[component]?.timeoutMs ?? timeoutMs) < timeoutMs;
  return running(SPOUT).some(isShorter) ? 2 : boltsFirst(component);
}

export function boltsFirst(component: string): Turn {
  return component === SPOUT ? 1 : 0;
}
