import { buildConnector } from 'undici';
import { OriginPools } from '../../../../connectors/channels/http/origin-pools';

let now: number;
let pools: OriginPools;

beforeEach(() => {
  now = 0;
  pools = new OriginPools({ connections: 1, connect: buildConnector({}), monotonic: () => now, maxOrigins: 3 });
});
afterEach(() => pools.destroy());

describe("the number of pools is bounded, and a burst's connections are forgotten after it:", () => {
  test('beyond the bound the pool that was used longest ago is closed', () => {
    const [a, b] = ['a', 'b', 'c'].map((name) => pools.get(`http://${name}.test`));
    now = 6_000;
    expect(pools.get('http://a.test')).toBe(a);
    pools.get('http://d.test');
    expect(pools.size).toBe(3);
    expect(b?.closed).toBe(true);
    expect(pools.get('http://a.test')).toBe(a);
  });

  test('a pool that nobody used for a minute is closed', () => {
    const a = pools.get('http://a.test');
    now = 30_000;
    const b = pools.get('http://b.test');
    now = 61_000;
    pools.get('http://c.test');
    expect(a.closed).toBe(true);
    expect(b.closed).toBe(false);
    expect(pools.size).toBe(2);
  });

  test('a pool is replaced after five minutes, however busy it is', () => {
    const first = pools.get('http://a.test');
    for (now = 0; now <= 300_000; now += 10_000) expect(pools.get('http://a.test')).toBe(first);
    const second = pools.get('http://a.test');
    expect(second).not.toBe(first);
    expect(first.closed).toBe(true);
    expect(pools.size).toBe(1);
  });
});
