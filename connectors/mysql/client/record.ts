import type { MessageId } from '../../../topology/message';
import { recordAudit } from '../audit/audit';
import type { Author } from '../audit/author';
import type { Sql } from '../sql/sql';

/** What a call made of one message. */
export interface ChangedMessage {
  readonly id: MessageId;
  readonly before: Readonly<Record<string, unknown>>;
  readonly after: Readonly<Record<string, unknown>>;
}

/** A value of the audit holds the ids of so many. */
const MESSAGES_PER_ROW = 1_000;

/**
 * Records what one call changed, in its transaction. A call for many messages leaves one row for each thousand with all of
 * their ids, because a row for each message would make a cancel of thousands a quarter slower. Payloads are not in it: they
 * may hold secrets.
 */
export async function recordMessages(
  sql: Sql,
  author: Author,
  verb: string,
  changed: readonly ChangedMessage[],
): Promise<void> {
  for (let from = 0; from < changed.length; from += MESSAGES_PER_ROW) {
    const some = changed.slice(from, from + MESSAGES_PER_ROW);
    const [only] = some;
    if (only !== undefined && changed.length === 1) {
      await recordAudit(sql, author, { verb, subject: `message ${only.id}`, before: only.before, after: only.after });
    } else {
      const after = { states: countStates(some), ids: some.map(({ id }) => id) };
      await recordAudit(sql, author, {
        verb,
        subject: some.length === 1 ? '1 message' : `${some.length} messages`,
        after,
      });
    }
  }
}

function countStates(changed: readonly ChangedMessage[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { after } of changed) {
    const state = String(after['state']);
    counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}
