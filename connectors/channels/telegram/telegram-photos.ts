import type { MediaFile } from '../media/media-file';
import { isVideo } from '../media/media-type';
import type { FormPart } from '../provider/multipart';

/** The body of `sendMessage`. */
export interface TelegramMessage {
  readonly chat_id: number | string;
  readonly text: string;
  readonly parse_mode?: 'HTML' | 'MarkdownV2';
  readonly message_thread_id?: number;
  readonly reply_parameters?: { readonly message_id: number };
  readonly link_preview_options?: { readonly is_disabled: boolean };
  readonly disable_notification?: boolean;
}

/** A message with its media: a photo, a video, or an album whose first one has the text. A caption has no preview of links. */
export function photosOf(message: TelegramMessage, files: readonly MediaFile[]) {
  const { text, parse_mode, link_preview_options: _, ...where } = message;
  const common = Object.entries(where).map(([name, value]) => partOf(name, value));
  const caption = { caption: text, ...(parse_mode === undefined ? {} : { parse_mode }) };
  const [only] = files;
  if (files.length === 1 && only !== undefined) {
    const texts = Object.entries(caption).map(([name, value]) => partOf(name, value));
    const kind = kindOf(only);
    const method = kind === 'video' ? 'sendVideo' : 'sendPhoto';
    return { method, parts: [...common, ...texts, { name: kind, file: only }] };
  }
  const media = files.map((file, index) => ({
    type: kindOf(file),
    media: `attach://${kindOf(file)}${index}`,
    ...(index === 0 ? caption : {}),
  }));
  const attached = files.map((file, index): FormPart => ({ name: `${kindOf(file)}${index}`, file }));
  return { method: 'sendMediaGroup', parts: [...common, partOf('media', media), ...attached] };
}

function kindOf({ type }: MediaFile): 'photo' | 'video' {
  return isVideo(type) ? 'video' : 'photo';
}

function partOf(name: string, value: unknown): FormPart {
  return { name, text: typeof value === 'string' ? value : JSON.stringify(value) };
}
