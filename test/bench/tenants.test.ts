import { Host } from '../support/tenants/hosts';
import { Others } from './others';
import { missedOf } from './tenants-report';

const kept = {
  name: 'no hostile tenant',
  others: { messages: 300, missing: 0, p50: 5, p95: 250, p99: 800, max: 900 },
  peakBytes: 400 * 1024 ** 2,
  deaths: 0,
  stuckPartitions: 0,
  pageMs: 50,
  addedP99Ms: 99,
  hostile: { failed: 3 },
  refused: 3,
};

test('bounds that are just kept are not reported', () => {
  expect(missedOf(kept)).toEqual([]);
});

test.each([
  ['p95 over 250 ms', { others: { ...kept.others, p95: 251 } }],
  ['p95 over 250 ms', { others: { ...kept.others, p95: null } }],
  ['2 missing', { others: { ...kept.others, missing: 2 } }],
  ['over 400 MiB', { peakBytes: kept.peakBytes + 1 }],
  ['a page over 50 ms', { pageMs: 51 }],
  ['1 workers died', { deaths: 1 }],
  ['adds 100 ms to p99', { addedP99Ms: 100 }],
  ['3 partitions stand still', { stuckPartitions: 3 }],
  ['3 of the tenant failed', { hostile: { delivered: 1, failed: 6 } }],
  ['1 of the tenant failed', { hostile: { failed: 1 }, refused: 0 }],
  ['3 of the tenant were not refused', { hostile: { delivered: 6 } }],
])('a bound that is missed is reported: %s', (text, change) => {
  expect(missedOf({ ...kept, ...change })).toEqual([text]);
});

test('others are judged by what their hosts accepted, each message once, and by what never came', async () => {
  const shared = await Host.start();
  const others = await Others.start(shared);
  try {
    const rows = others.rows('run', 1_000, 1, true);
    expect(rows.map(({ dueAt }) => dueAt)).toEqual([1_000, 1_200, 1_400, 1_600, 1_800]);
    for (const { payload, tag } of [...rows.slice(0, 4), ...rows.slice(0, 1)]) {
      const { url, headers } = JSON.parse(payload) as { url: string; headers: Record<string, string> };
      const { status } = await fetch(url, { method: 'POST', headers: { ...headers, 'idempotency-key': tag } });
      expect(status).toBe(200);
    }
    expect(others.missing(rows)).toEqual(rows.slice(4));
    expect(others.judge(rows)).toMatchObject({ messages: 5, missing: 1, p95: null, max: null });
    expect(shared.arrivals.accepted).toBe(2);
    const { p50 } = others.judge(rows);
    expect(p50).toBeGreaterThan(0);
  } finally {
    await others.close();
    await shared.close();
  }
});
