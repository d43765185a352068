import { z } from 'zod';
import type { MediaFile } from '../media/media-file';
import { beforehand, isUnanswered, type Unpublished } from '../provider/api';
import { isServer } from '../provider/api-server';
import { namePrefixOf } from '../provider/file-names';
import { gatewayAnswer } from '../provider/gateway-answer';
import type { Publishing } from '../provider/provider-channel';
import { meaningOf, wordsOf } from './slack-answers';
import { requestTo, type SlackCredentials, type SlackMessage } from './slack-api';

const TOO_MANY = 429;
/** The address for a file holds for a short time; the next attempt gets another one. */
const ADDRESS_IS_OVER = new Set([403, 404, 410]);

const place = z.object({ ok: z.literal(true), upload_url: z.url(), file_id: z.string().regex(/^F[A-Z0-9]{2,30}$/) });

/** A file that is there and that nobody sees yet. */
export interface SlackFile {
  readonly id: string;
  readonly title: string;
}

type Upload = Pick<Publishing<SlackCredentials>, 'credentials' | 'ask' | 'now' | 'idempotencyKey'>;

/** Uploads the images of a message. */
export async function uploadFiles(files: readonly MediaFile[], upload: Upload): Promise<SlackFile[] | Unpublished> {
  const uploaded: SlackFile[] = [];
  for (const file of files) {
    const one = await uploadFile(file, upload);
    if (one === 'not_started' || 'kind' in one) return one;
    uploaded.push(one);
  }
  return uploaded;
}

/** The body of `files.completeUploadExternal`, which makes them a message. */
export function completionOf({ channel, text, thread_ts }: SlackMessage, files: readonly SlackFile[]) {
  return { files, channel_id: channel, initial_comment: text, ...(thread_ts === undefined ? {} : { thread_ts }) };
}

async function uploadFile(file: MediaFile, upload: Upload): Promise<SlackFile | Unpublished> {
  const { credentials, ask, now, idempotencyKey } = upload;
  const { name, alt, bytes } = file;
  const filename = namePrefixOf(idempotencyKey) + name;
  const described = { filename, length: String(bytes), ...(alt === undefined ? {} : { alt_txt: alt }) };
  const form = new URLSearchParams(described);
  const asked = await ask(requestTo(credentials, 'files.getUploadURLExternal', { form }));
  if (isUnanswered(asked)) return beforehand(asked);
  const { success, data } = place.safeParse(asked.json());
  if (!asked.isOk || !success) {
    const meant = meaningOf(asked, now());
    if (meant.kind !== 'rejected' && meant.kind !== 'delivered') return beforehand(meant);
    return { kind: 'rejected', status: asked.status, reason: `Slack does not take ${name} (${wordsOf(asked)})` };
  }
  const url = new URL(data.upload_url);
  if (!isServer(url.origin))
    return { kind: 'rejected', reason: `Slack takes ${name} at an address that is not https only` };
  // The address is the permission; the token is for the API alone.
  const sent = await ask({ method: 'POST', url, file });
  if (isUnanswered(sent)) return elsewhere(beforehand(sent));
  if (sent.isOk) return { id: data.file_id, title: alt ?? name };
  const { status } = sent;
  const reason = `Slack does not take ${name} (HTTP ${status}: ${sent.shown()})`;
  if (status < 500 && status !== TOO_MANY && !ADDRESS_IS_OVER.has(status) && gatewayAnswer(sent, '') === undefined) {
    return { kind: 'rejected', status, reason };
  }
  const afterMs = sent.waitMs('retry-after', now());
  return { kind: 'retry', status, reason, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** That the place for files cannot be reached does not say so of the API. */
function elsewhere(ended: Unpublished): Unpublished {
  if (ended === 'not_started' || ended.kind !== 'retry') return ended;
  return { kind: 'retry', reason: ended.reason };
}
