import { reasonOf } from '../../../topology/core/errors';
import type { Log } from '../../../topology/runtime/log';

/**
 * Does what may fail for want of room on the disk, and goes on: workers send, whatever is remembered of them. The same failure
 * is logged once.
 */
export function despiteFailures(log: Pick<Log, 'error'>): (what: string, work: () => void) => void {
  let logged = '';
  return (what, work) => {
    try {
      work();
    } catch (error) {
      const text = `${what}: ${reasonOf(error)}`;
      if (text !== logged) log.error(text);
      logged = text;
    }
  };
}
