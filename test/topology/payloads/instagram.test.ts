import { parsePayload } from '../../../topology/payloads/payloads';

const media = [{ url: 'https://images.example/cup.jpg', alt: 'a cup' }];

const reason = (payload: object) => {
  const parsed = parsePayload('instagram', payload);
  return parsed.ok ? 'ok' : parsed.reason;
};

test('a caption has 2,200 characters, or as many as are allowed', () => {
  expect(reason({ media, text: 'a'.repeat(2_200) })).toBe('ok');
  expect(reason({ media, text: 'a'.repeat(2_201) })).toBe(
    'payload.text: expected at most 2200 characters as Instagram counts them, got 2201',
  );
  expect(reason({ media, text: 'a'.repeat(2_201), limit: 2_201 })).toBe('ok');
});

test('a caption has 30 hashtags, or as many as are allowed', () => {
  expect(reason({ media, text: '#ü '.repeat(30) })).toBe('ok');
  expect(reason({ media, text: '#ü '.repeat(31) })).toBe('payload.text: expected at most 30 hashtags, got 31');
  expect(reason({ media, text: '#ü '.repeat(31), hashtags: 31 })).toBe('ok');
  expect(reason({ media, text: 'C# and a#b and &#39; '.repeat(20) })).toBe('ok');
});

test('there is no post without an image, and none of more than ten', () => {
  expect(reason({ media })).toBe('ok');
  expect(reason({ text: 'a' })).toBe(
    'payload.media: expected at least one image or video, because Instagram has no posts without',
  );
  expect(reason({ media: Array.from({ length: 10 }, () => media[0]) })).toBe('ok');
  expect(reason({ media: Array.from({ length: 11 }, () => media[0]) })).toContain('payload.media');
});

test('images are at URLs, because Meta fetches them', () => {
  expect(reason({ media: [{ file: 'shop/cup.jpg' }] })).toBe(
    'payload.media.0.url: expected a url that everybody may read, because the provider fetches it',
  );
  expect(reason({ media: [{ url: 'file:///etc/passwd' }] })).toContain('payload.media.0.url');
  expect(reason({ media: [{ url: 'https://user:pass@images.example/cup.jpg' }] })).toContain('credentials');
});
