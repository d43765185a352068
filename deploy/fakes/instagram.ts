import { z } from 'zod';
import { type ContainerDialect, FakeContainers, type FakeContainersOptions } from './meta-containers';

const MAX_CAPTION = 2_200;
const MAX_HASHTAGS = 30;

const form = z
  .strictObject({
    media_type: z.enum(['CAROUSEL', 'REELS', 'VIDEO']).optional(),
    image_url: z.url().optional(),
    video_url: z.url().optional(),
    caption: z.string().optional(),
    alt_text: z.string().max(1_000).optional(),
    is_carousel_item: z.literal('true').optional(),
    children: z.string().optional(),
  })
  .refine(
    ({ image_url, video_url, children }) =>
      [image_url, video_url, children].filter((one) => one !== undefined).length === 1,
    'image_url, video_url or children',
  )
  .refine((given) => (given.media_type === 'CAROUSEL') === (given.children !== undefined), 'a CAROUSEL has children')
  .refine(({ media_type, video_url, is_carousel_item }) => {
    const wanted = is_carousel_item === undefined ? 'REELS' : 'VIDEO';
    return video_url === undefined ? media_type === undefined || media_type === 'CAROUSEL' : media_type === wanted;
  }, 'a video is a REELS, and a VIDEO in a carousel')
  .refine((given) => given.alt_text === undefined || given.image_url !== undefined, 'alt_text is of images')
  .refine((given) => given.is_carousel_item === undefined || given.caption === undefined, 'an item has no caption');

const dialect: ContainerDialect = {
  name: 'instagram',
  version: 'v25.0',
  grant: 'ig_refresh_token',
  edges: { create: 'media', publish: 'media_publish', limit: 'content_publishing_limit' },
  status: { state: 'status_code', error: 'status' },
  form,
  textField: 'caption',
  refusal: ({ caption = '' }) => {
    const isTooLong = caption.length > MAX_CAPTION || (caption.match(/#\w/g) ?? []).length > MAX_HASHTAGS;
    return isTooLong ? { code: 36_004, subcode: 2_207_010, message: 'The caption is too long' } : undefined;
  },
  items: [2, 10],
  permalink: (post) => `https://www.instagram.com/p/${post}/`,
};

/** Instagram, as far as publishing images goes. */
export class FakeInstagram extends FakeContainers {
  constructor(options: FakeContainersOptions) {
    super(dialect, options);
  }
}
