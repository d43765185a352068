import { z } from 'zod';
import { type ContainerDialect, FakeContainers, type FakeContainersOptions } from './meta-containers';

const MAX_TEXT = 500;

const form = z
  .strictObject({
    media_type: z.enum(['TEXT', 'IMAGE', 'VIDEO', 'CAROUSEL']),
    text: z.string().min(1).optional(),
    image_url: z.url().optional(),
    video_url: z.url().optional(),
    alt_text: z.string().max(1_000).optional(),
    is_carousel_item: z.literal('true').optional(),
    children: z.string().optional(),
    reply_to_id: z.string().regex(/^\d+$/).optional(),
    reply_control: z.enum(['everyone', 'accounts_you_follow', 'mentioned_only']).optional(),
    link_attachment: z.url().optional(),
  })
  .refine((given) => (given.media_type === 'IMAGE') === (given.image_url !== undefined), 'an IMAGE has image_url')
  .refine((given) => (given.media_type === 'VIDEO') === (given.video_url !== undefined), 'a VIDEO has video_url')
  .refine((given) => (given.media_type === 'CAROUSEL') === (given.children !== undefined), 'a CAROUSEL has children')
  .refine((given) => given.media_type !== 'TEXT' || given.text !== undefined, 'a TEXT has text')
  .refine((given) => given.media_type === 'TEXT' || given.link_attachment === undefined, 'a link goes with TEXT');

const dialect: ContainerDialect = {
  name: 'threads',
  version: 'v1.0',
  grant: 'th_refresh_token',
  edges: { create: 'threads', publish: 'threads_publish', limit: 'threads_publishing_limit' },
  status: { state: 'status', error: 'error_message' },
  form,
  textField: 'text',
  refusal: ({ text = '' }) =>
    lengthOf(text) > MAX_TEXT
      ? { code: 100, subcode: 0, message: `Param text must be at most ${MAX_TEXT} characters long.` }
      : undefined,
  items: [2, 20],
  permalink: (post) => `https://www.threads.com/@rehearsal/post/${post}`,
};

/** Threads, as far as publishing texts and images goes. */
export class FakeThreads extends FakeContainers {
  constructor(options: FakeContainersOptions) {
    super(dialect, options);
  }
}

/** An emoji counts as its bytes. */
function lengthOf(text: string): number {
  const emoji = text.match(/\p{Extended_Pictographic}|\u200d|\ufe0f/gu) ?? [];
  return Array.from(text).length + emoji.reduce((more, one) => more + Buffer.byteLength(one) - 1, 0);
}
