import type { CancelAnswer, Client, EditAnswer, Target } from '../../connectors/mysql/client/client';
import type { Scheduling, Writing } from './application';
import type { FinalRow } from './judge';
import { providedChannels } from './provided-channels';
import { noteOf } from './watched-provider';

const MAX_ROWS_AT_ONCE = 500;

/** The public client, as the demo's application uses it: keys are dedupe keys. */
export function schedulingOf(client: Client): Scheduling {
  return {
    schedule: async (messages) => {
      const answers = await client.schedule(
        messages.map(({ key, channel, account, dueAt, payload }) => ({
          channel,
          account,
          dedupeKey: key,
          dueAt,
          payload,
        })),
      );
      const conflict = answers.find(({ result }) => result === 'conflict');
      if (conflict !== undefined) throw new Error(`message ${conflict.id} has a key of this demo already`);
    },
    edit: async (edits) => {
      const answers = await client.edit(
        edits.map((edit) => ({ ...targetOf(edit), dueAt: edit.dueAt, payload: edit.payload })),
      );
      return answers.map((answer) => (answer.result === 'edited' ? 'edited' : refused(answer)));
    },
    cancel: async (messages) => {
      const answers = await client.cancel(messages.map(targetOf));
      return answers.map((answer) => (answer.result === 'canceled' ? 'canceled' : refused(answer)));
    },
  };
}

/** Every payload says which message it is, so that the receiver and the providers can be asked what came. */
export function writingTo(receiverUrl: string): Writing {
  return ({ key, channel, account }, revision, dueAt) => {
    if (channel !== 'webhook') return providedChannels[channel].payload(account, noteOf(key, revision, dueAt));
    return {
      url: `${receiverUrl}/messages`,
      headers: { 'x-due-at': String(dueAt), 'x-tag': `${key}#${revision}` },
      body: { message: key, revision, text: `Revision ${revision} of ${key}` },
    };
  };
}

/** What the table says about the messages now. */
export async function finalRows(
  client: Client,
  messages: readonly { readonly key: string; readonly account: string }[],
): Promise<FinalRow[]> {
  const rows: FinalRow[] = [];
  for (let from = 0; from < messages.length; from += MAX_ROWS_AT_ONCE) {
    const found = await client.get(messages.slice(from, from + MAX_ROWS_AT_ONCE).map(targetOf));
    for (const row of found) {
      if (row !== null) rows.push({ key: row.dedupeKey ?? '', state: row.state, inDoubt: row.inDoubt });
    }
  }
  return rows;
}

function targetOf({ key, account }: { readonly key: string; readonly account: string }): Target {
  return { account, dedupeKey: key };
}

/** Sent already, being sent or in doubt: whatever it is, the change was not made. */
function refused(answer: CancelAnswer | EditAnswer): 'too_late' {
  if (answer.result === 'not_found') throw new Error('a message of this demo is gone');
  return 'too_late';
}
