import { z } from 'zod';
import { type ContainerDialect, FakeContainers, type FakeContainersOptions } from './meta-containers';

const MAX_CAPTION = 2_200;
const MAX_HASHTAGS = 30;

const form = z
  .strictObject({
    media_type: z.literal('CAROUSEL').optional(),
    image_url: z.url().optional(),
    caption: z.string().optional(),
    alt_text: z.string().max(1_000).optional(),
    is_carousel_item: z.literal('true').optional(),
    children: z.string().optional(),
  })
  .refine((given) => (given.image_url === undefined) !== (given.children === undefined), 'image_url or children')
  .refine((given) => (given.media_type === undefined) === (given.children === undefined), 'a CAROUSEL has children')
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
