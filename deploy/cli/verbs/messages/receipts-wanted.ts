import { channelKinds, kindOf } from '../../../../connectors/channels/channel-kinds';
import type { Message } from '../../../../connectors/mysql/client/client';
import { UserError } from '../../../../topology/core/errors';

/** Channels whose posts are told apart by what they contain. */
export const channelsByContent: readonly string[] = Object.values(channelKinds)
  .filter(({ receiptIs }) => receiptIs !== undefined)
  .map(({ name }) => name);

/**
 * Refuses to settle messages as delivered by a post that is nobody's: another message in doubt with the same content could take it
 * for its own, and would be lost.
 * @throws UserError naming the first of them and what its receipt is
 */
export function checkReceiptGiven(messages: readonly (Pick<Message, 'id' | 'channel' | 'state'> | null)[]): void {
  for (const message of messages) {
    const what = message?.state === 'uncertain' ? kindOf(message.channel)?.receiptIs : undefined;
    if (message === null || what === undefined) continue;
    throw new UserError(
      `Message ${message.id} is of ${message.channel}, whose posts are told apart by what they contain: give --receipt (${what}), ` +
        'so that no other message with the same content counts the post for its own. --without-receipt settles it all the same.',
    );
  }
}
