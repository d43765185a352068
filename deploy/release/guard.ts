import type { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import type { Guard } from '../targets/engine';
import { type Patience, patiently } from './patiently';

/** Lets an engine go on while the command may, and waits while the database does not answer: its pods roll on meanwhile. */
export function guardOf(lock: Pick<DeployLock, 'lost' | 'check'>, patience: Patience): Guard {
  const signal = AbortSignal.any([patience.signal, lock.lost]);
  return {
    signal,
    mayGoOn: async () => {
      signal.throwIfAborted();
      await patiently({ ...patience, signal }, () => lock.check());
      signal.throwIfAborted();
    },
  };
}
