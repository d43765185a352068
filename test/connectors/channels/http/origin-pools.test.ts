import { OriginPools } from '../../../../connectors/channels/http/origin-pools';
import { connector } from '../../../../connectors/channels/http/public-addresses';

test('pools are kept for a bounded number of origins, the last used ones', async () => {
  const pools = new OriginPools(1, connector(1_000, true), 2);
  const a = pools.get('http://a.test');
  const b = pools.get('http://b.test');
  expect(pools.get('http://a.test')).toBe(a);
  pools.get('http://c.test');
  expect(pools.size).toBe(2);
  expect(b.closed).toBe(true);
  expect(pools.get('http://a.test')).toBe(a);
  await pools.destroy();
});
