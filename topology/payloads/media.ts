import { z } from 'zod';
import { boundedList } from './bounded';
import { isOneLine, READABLE } from './mailbox';
import { fields } from './payload-field';
import { webUrl } from './web-url';

const MAX_URL = 2_048;
const MAX_FILE = 512;
const MAX_NAME = 100;
const MAX_ALT_OF_ANY = 10_000;
const MAX_IMAGES_OF_ANY = 100;
/** Of a file wherever it is saved: no folder in it, nothing hidden, and nothing that a system makes something else of. */
const FILE_NAME = /^[^.\s\p{Cc}/\\:*?"<>|](?:[^\p{Cc}/\\:*?"<>|]*[^.\s\p{Cc}/\\:*?"<>|])?$/u;
/** No empty part, none that begins with a dot, and so nothing above or hidden. */
const RELATIVE_PATH = /^(?:[^./\\\p{C}][^/\\\p{C}]*\/)*[^./\\\p{C}][^/\\\p{C}]*$/u;

interface MediaRules {
  /** How many a message may have. */
  readonly most: number;
  /** UTF-16 units of a description. */
  readonly maxAlt: number;
  /** Whether a video is taken in place of the images, or as one of so many. */
  readonly video?: 'alone' | 'besides';
}

/** The images and videos of a message, as a field of its payload: each from a URL, or from a file that the workers have. */
export function media(rules: MediaRules) {
  return optional(image(rules.maxAlt), rules, ', or "file" for one below the workers\' MEDIA_FOLDER');
}

/** The same where the provider fetches them itself: each is at a URL, and says whether it is a video, because nobody here sees it. */
export function mediaByUrl(rules: MediaRules) {
  const byUrl = exactlyOne(shape(rules.maxAlt).extend({ type: z.enum(['image', 'video']).optional() })).refine(
    ({ url }) => url !== undefined,
    {
      error: 'expected a url that everybody may read, because the provider fetches it',
      path: ['url'],
    },
  );
  return optional(byUrl, rules, ', each where everybody may read it; a video has "type":"video"');
}

/** Files of any type that go along with a message, each under a name of its own. */
export function attachments(most: number) {
  const named = shape(MAX_ALT_OF_ANY)
    .omit({ alt: true })
    .extend({
      name: z
        .string()
        .max(MAX_NAME, { abort: true })
        .regex(FILE_NAME, 'expected the name of a file, such as invoice.pdf')
        .refine(isOneLine, `expected a name ${READABLE}`)
        .optional(),
    });
  return boundedList(exactlyOne(named), most)
    .min(1)
    .optional()
    .register(fields, {
      option: 'media',
      placeholder: 'json',
      takes: 'json',
      description: `up to ${most} attachments: [{"url":"https://…","name":"invoice.pdf"}], or "file" for one below the workers' MEDIA_FOLDER`,
    });
}

function image(maxAlt: number) {
  return exactlyOne(shape(maxAlt));
}

function shape(maxAlt: number) {
  return z.strictObject({
    url: webUrl(MAX_URL).optional(),
    file: z
      .string()
      .max(MAX_FILE, { abort: true })
      .regex(RELATIVE_PATH, 'expected a path below the folder that MEDIA_FOLDER names, such as shop/cup.png')
      .optional(),
    alt: z.string().min(1).max(maxAlt).optional(),
  });
}

function exactlyOne<T extends z.ZodType<Pick<MediaItem, 'url' | 'file'>>>(item: T) {
  return item.refine(({ url, file }) => (url === undefined) !== (file === undefined), 'expected either url or file');
}

function optional<T extends z.ZodType>(one: T, { most, video }: MediaRules, more: string) {
  const images = { alone: 'images, or a video', besides: 'images and videos' }[video ?? 'alone'];
  const what = video === undefined ? (most === 1 ? 'image' : 'images') : images;
  return boundedList(one, most)
    .min(1)
    .optional()
    .register(fields, {
      option: 'media',
      placeholder: 'json',
      takes: 'json',
      description: `up to ${most} ${what}: [{"url":"https://…","alt":"what it shows"}]${more}`,
    });
}

/** Of a payload of a package: what images are, whatever its own schema takes for one. Null is none. */
export const withMedia = z.looseObject({
  media: boundedList(image(MAX_ALT_OF_ANY), MAX_IMAGES_OF_ANY).nullish(),
});

/** One image or video of a message: exactly one of `url` and `file` is given. */
export interface MediaItem {
  readonly url?: string | undefined;
  readonly file?: string | undefined;
  /** Of the file, where receivers are told one. */
  readonly name?: string | undefined;
  /** What it shows, for those who do not see it. */
  readonly alt?: string | undefined;
  /** Where the provider fetches it: an image unless it says otherwise. Else its content says what it is. */
  readonly type?: 'image' | 'video' | undefined;
}
