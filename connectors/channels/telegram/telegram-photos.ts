import type { MediaFile } from '../media/media-file';
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

/** A message with its images: a photo, or an album whose first photo has the text. A caption has no preview of links. */
export function photosOf(message: TelegramMessage, files: readonly MediaFile[]) {
  const { text, parse_mode, link_preview_options: _, ...where } = message;
  const common = Object.entries(where).map(([name, value]) => partOf(name, value));
  const caption = { caption: text, ...(parse_mode === undefined ? {} : { parse_mode }) };
  const [only] = files;
  if (files.length === 1 && only !== undefined) {
    const texts = Object.entries(caption).map(([name, value]) => partOf(name, value));
    return { method: 'sendPhoto', parts: [...common, ...texts, { name: 'photo', file: only }] };
  }
  const media = files.map((_file, index) => ({
    type: 'photo',
    media: `attach://photo${index}`,
    ...(index === 0 ? caption : {}),
  }));
  const attached = files.map((file, index): FormPart => ({ name: `photo${index}`, file }));
  return { method: 'sendMediaGroup', parts: [...common, partOf('media', media), ...attached] };
}

function partOf(name: string, value: unknown): FormPart {
  return { name, text: typeof value === 'string' ? value : JSON.stringify(value) };
}
