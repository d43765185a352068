import { parsePayload } from '../../../topology/payloads/payloads';

const parse = (payload: object) => parsePayload('bluesky', payload);
const images = (length: number) =>
  Array.from({ length }, () => ({ url: 'https://example.com/a.png', alt: 'a'.repeat(1_000) }));
const family = '👩‍👩‍👧';

test.each([
  [{ text: 'a'.repeat(300) }],
  [{ text: 'e\u0301'.repeat(300) }],
  [{ text: family.repeat(166) }],
  [{ text: 'a', replyTo: 'at://did:plc:abc/app.bsky.feed.post/3k43tv4rft22g' }],
  [{ text: 'a', link: 'https://example.com', title: 'a' }],
  [{ text: 'a', media: images(4) }],
  [{ text: 'a', replyTo: 'at://did:plc:abc/app.bsky.feed.post/3k43tv4rft22g', media: [{ file: 'a.png' }] }],
])('%j is a post', (payload) => {
  expect(parse(payload)).toMatchObject({ ok: true });
});

test.each([
  [{ text: 'a'.repeat(301) }, 'payload.text: expected at most 300 characters as Bluesky counts them, got 301'],
  [{ text: family.repeat(167) }, 'payload.text: expected at most 3000 bytes of UTF-8, got 3006'],
  [{ text: ' ' }, 'payload.text'],
  [{ text: 'a\ud800' }, 'payload.text'],
  [{ text: 'a', replyTo: 'https://bsky.app/profile/a/post/3k43tv4rft22g' }, 'payload.replyTo'],
  [{ text: 'a', link: 'https://example.com' }, 'payload.title'],
  [{ text: 'a', title: 'a' }, 'payload.link'],
  [{ text: 'a', link: 'javascript:alert(1)', title: 'a' }, 'payload.link'],
  [{ text: 'a', media: images(5) }, 'payload.media'],
  [{ text: 'a', media: [{ file: 'a.png', alt: 'a'.repeat(1_001) }] }, 'payload.media.0.alt'],
  [
    { text: 'a', media: [{ file: 'a.png' }], link: 'https://example.com', title: 'a' },
    'payload.media: expected either',
  ],
])('%j is none', (payload, reason) => {
  expect(parse(payload)).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
});
