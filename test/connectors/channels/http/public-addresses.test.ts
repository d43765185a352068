import { isPublic } from '../../../../connectors/channels/http/public-addresses';

test('public addresses', () => {
  for (const address of ['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8']) expect(isPublic(address)).toBe(true);
  for (const address of ['198.18.0.1', '224.0.0.1', '240.0.0.1', '2002:7f00:1::', '2001:db8::1', 'fec0::1']) {
    expect(isPublic(address)).toBe(false);
  }
});
