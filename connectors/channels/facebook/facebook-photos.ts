import { z } from 'zod';
import type { Outcome } from '../../../topology/message';
import type { MediaFile } from '../media/media-file';
import { beforehand, isUnanswered } from '../provider/api';
import type { Publishing } from '../provider/provider-channel';
import { isDuplicate, meaningOf, wordsOf } from './facebook-answers';
import { type FacebookCredentials, requestTo } from './facebook-api';

const taken = z.object({ id: z.string().regex(/^\d{1,40}$/) });

type Upload = Pick<Publishing<FacebookCredentials>, 'credentials' | 'apiVersion' | 'ask' | 'inDoubt' | 'now'>;
type Refused = Exclude<Outcome, { kind: 'delivered' }> | 'not_started';

/** Uploads the photos of a post as unpublished ones, which nobody sees before the post. @returns their ids, in their order */
export async function uploadPhotos(files: readonly MediaFile[], upload: Upload): Promise<string[] | Refused> {
  const ids: string[] = [];
  for (const file of files) {
    const uploaded = await uploadPhoto(file, upload);
    if (uploaded === 'not_started' || 'kind' in uploaded) return uploaded;
    ids.push(uploaded.id);
  }
  return ids;
}

async function uploadPhoto(file: MediaFile, upload: Upload): Promise<{ readonly id: string } | Refused> {
  const { credentials, apiVersion, ask, inDoubt, now } = upload;
  const { name, alt } = file;
  const parts = [
    { name: 'published', text: 'false' },
    ...(alt === undefined ? [] : [{ name: 'alt_text_custom', text: alt }]),
    { name: 'source', file },
  ];
  const path = `${credentials.page}/photos`;
  const ended = await ask(requestTo(credentials, apiVersion, { method: 'POST', path, parts }));
  if (isUnanswered(ended)) return beforehand(ended);
  const { success, data } = taken.safeParse(ended.json());
  if (ended.isOk && success) return data;
  const meant = meaningOf(ended, { inDoubt, now: now() });
  // An earlier attempt may have posted the same photo, or only uploaded it.
  const isThere = isDuplicate(ended);
  if (meant.kind === 'unknown' && isThere) return meant;
  if (meant.kind === 'rejected' && !isThere) return { ...meant, reason: `${name}: ${meant.reason}` };
  if (meant.kind === 'retry' || meant.kind === 'unusable' || meant.kind === 'postponed') return meant;
  return { kind: 'retry', status: ended.status, reason: `Facebook did not take ${name} (${wordsOf(ended)})` };
}
