import { reasonOf, Unavailable, UserError } from '../../topology/core/errors';
import { counted } from '../console/units';

/**
 * Gives the connector the new number of partitions, which Kafka has by now.
 * @throws UserError, Unavailable as `register`, saying what is half done too: partitions are not taken away again
 */
export async function sayingHalfGrown(
  { stream, from, to }: { readonly stream: string; readonly from: number; readonly to: number },
  register: () => Promise<void>,
): Promise<void> {
  try {
    await register();
  } catch (error) {
    if (!(error instanceof UserError || error instanceof Unavailable)) throw error;
    const text =
      `${reasonOf(error)}\n${stream} has ${counted(to, 'partition')} now, and CDC may write to ${from} of them only until ` +
      '`downspout deploy` of the same topology has gone on. Nothing is lost meanwhile.';
    throw error instanceof UserError ? new UserError(text, { cause: error }) : new Unavailable(text, { cause: error });
  }
}
