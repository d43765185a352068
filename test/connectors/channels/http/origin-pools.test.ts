import { buildConnector } from 'undici';
import { OriginPools } from '../../../../connectors/channels/http/origin-pools';

let now: number;
let pools: OriginPools;

beforeEach(() => {
  now = 0;
  pools = new OriginPools({ connections: 1, connect: buildConnector({}), monotonic: () => now, maxOrigins: 3 });
});
afterEach(() => pools.destroy());

test('an account with very many hosts closes its own pools, and no other', async () => {
  const few = new OriginPools({
    connections: 1,
    connect: buildConnector({}),
    monotonic: () => now,
    maxOrigins: 10,
    maxOriginsPerAccount: 3,
  });
  const mine = few.get('http://mine.test', 'shop');
  const many = Array.from({ length: 20 }, (_, n) => few.get(`http://h${n}.test`, 'evil'));
  expect(mine.closed).toBe(false);
  expect(many.filter(({ closed }) => !closed)).toHaveLength(3);
  expect(few.get('http://mine.test', 'evil')).toBe(mine);
  await few.destroy();
});

describe("the number of pools is bounded, and a burst's connections are forgotten after it:", () => {
  test('a pool that another account uses too is not closed, whoever wanted it first', async () => {
    const own = new OriginPools({
      connections: 1,
      connect: () => {},
      monotonic: () => now,
      maxOriginsPerAccount: 3,
    });
    for (const round of [0, 1]) {
      const shared = own.get('http://shared.test', 'evil');
      own.get('http://shared.test', 'shop');
      for (let n = 0; n < 10; n++) own.get(`http://n${n}.test`, 'evil');
      expect([round, shared.closed, own.get('http://shared.test', 'shop') === shared]).toEqual([round, false, true]);
      // The pool is replaced.
      now += 300_001;
    }
    await own.destroy();
  });

  test('beyond the bound the pool that was used longest ago is closed', () => {
    const [a, b] = ['a', 'b', 'c'].map((name) => pools.get(`http://${name}.test`, 'shop'));
    now = 6_000;
    expect(pools.get('http://a.test', 'shop')).toBe(a);
    pools.get('http://d.test', 'shop');
    expect(pools.size).toBe(3);
    expect(b?.closed).toBe(true);
    expect(pools.get('http://a.test', 'shop')).toBe(a);
  });

  test('a pool that nobody used for a minute is closed', () => {
    const a = pools.get('http://a.test', 'shop');
    now = 30_000;
    const b = pools.get('http://b.test', 'shop');
    now = 61_000;
    pools.get('http://c.test', 'shop');
    expect(a.closed).toBe(true);
    expect(b.closed).toBe(false);
    expect(pools.size).toBe(2);
  });

  test('a pool is replaced after five minutes, however busy it is', () => {
    const first = pools.get('http://a.test', 'shop');
    for (now = 0; now <= 300_000; now += 10_000) expect(pools.get('http://a.test', 'shop')).toBe(first);
    const second = pools.get('http://a.test', 'shop');
    expect(second).not.toBe(first);
    expect(first.closed).toBe(true);
    expect(pools.size).toBe(1);
  });
});
