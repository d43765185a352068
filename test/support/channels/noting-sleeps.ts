import { type Clock, systemClock } from '../../../topology/core/clock';

/** @param waited gets for how long each sleep would have been, milliseconds. Nobody sleeps */
export function notingSleeps(waited: number[]): Clock {
  return {
    ...systemClock,
    sleep: async (ms) => {
      waited.push(ms);
    },
  };
}
