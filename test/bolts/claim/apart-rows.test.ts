import { ApartRows } from '../../../bolts/claim/apart-rows';
import type { HeldRow } from '../../../bolts/held-row';
import { Resource } from '../../../bolts/slots/resources';
import type { SendSlots } from '../../../bolts/slots/send-slots';
import { Suspects } from '../../../bolts/slots/suspects';

const CONCURRENCY = 256;

describe('ApartRows', () => {
  const full = new Resource(0);
  let looks: number;
  let hasRoom: (row: HeldRow) => boolean;
  let suspects: Suspects;
  let apart: ApartRows;
  const lanes = new Map<string, object>();

  function row(id: number, change: Partial<HeldRow>, account = 'a'): HeldRow {
    const lane = lanes.get(account) ?? { account: { name: account }, origin: { name: account } };
    lanes.set(account, lane);
    return { id, at: 0, misses: 0, recoveries: 0, bytes: 1_000, lane, waitsApart: false, ...change } as HeldRow;
  }

  function take(kind: 'missed' | 'suspect', now = 0): { readonly batch: HeldRow[]; readonly without: number } {
    const batch: HeldRow[] = [];
    const without = apart.takeInto(batch, kind, now, 500, () => true);
    return { batch, without: without.length };
  }

  beforeEach(() => {
    looks = 0;
    hasRoom = () => true;
    suspects = new Suspects(CONCURRENCY);
    const slots = {
      take: () => {},
      blocker: (one: HeldRow) => {
        looks++;
        return hasRoom(one) ? undefined : full;
      },
    };
    apart = new ApartRows(slots as unknown as SendSlots<HeldRow>, suspects);
  });

  it('1. missed rows are taken by themselves, as many as there is room for', () => {
    for (let id = 0; id < 40; id++) apart.add(row(id, { misses: 1 }), 'missed');
    apart.add(row(99, { recoveries: 2 }), 'suspect');
    expect(take('missed').batch.map(({ id }) => id)).toEqual(Array.from({ length: 40 }, (_, id) => id));
    expect(take('suspect').batch.map(({ id }) => id)).toEqual([99]);
  });

  it.each([
    [2, 64],
    [3, 8],
    [4, 1],
    [11, 1],
  ])('2. suspects: of those that %i workers ended with, %i are claimed at a time', (recoveries, count) => {
    for (let id = 0; id < 600; id++) apart.add(row(id, { recoveries }, `a${id}`), 'suspect');
    const claimed: HeldRow[] = [];
    for (let now = 0; now < 100; now += 10) claimed.push(...take('suspect', now).batch);
    expect(claimed).toHaveLength(count);
    for (const one of claimed) suspects.release(one);
    expect(take('suspect', 200).batch.length).toBeGreaterThan(0);
  });

  it('2. suspects: one that must be alone is not passed by others, and none is claimed beside it', () => {
    for (let id = 0; id < 20; id++) apart.add(row(id, { recoveries: 2 }, `a${id}`), 'suspect');
    apart.add(row(20, { recoveries: 4 }), 'suspect');
    for (let id = 21; id < 40; id++) apart.add(row(id, { recoveries: 2 }, `a${id}`), 'suspect');
    const first = take('suspect').batch;
    expect(first).toHaveLength(20);
    for (const one of first.slice(1)) suspects.release(one);
    expect(take('suspect').batch).toEqual([]);
    suspects.release(first[0] as HeldRow);
    const [alone, ...more] = take('suspect').batch;
    expect([alone?.id, more]).toEqual([20, []]);
    suspects.release(alone as HeldRow);
    expect(take('suspect').batch).toHaveLength(19);
  });

  it('2. suspects: one account has half of those that are claimed, and one that was locked too is claimed by itself', () => {
    for (let id = 0; id < 200; id++) apart.add(row(id, { recoveries: 2 }), 'suspect');
    const { batch, without } = take('suspect');
    expect([batch.length, without]).toEqual([32, 68]);
    apart.add(row(300, { recoveries: 2, misses: 1, at: -1 }, 'b'), 'suspect');
    expect(take('suspect', 10).batch.map(({ id }) => id)).toEqual([300]);
  });

  it.each(['missed', 'suspect'] as const)(
    '3. one call looks at a bounded number of rows (%s), and the next comes later',
    (kind) => {
      hasRoom = ({ id }) => id === 150;
      for (let id = 0; id < 10_000; id++) {
        apart.add(row(id, kind === 'missed' ? { misses: 1 } : { recoveries: 2 }, `a${id}`), kind);
      }
      expect(take(kind)).toMatchObject({ batch: [], without: 100 });
      expect([looks, apart.nextAt(kind)]).toEqual([100, 10]);
      expect(take(kind, 10)).toMatchObject({ batch: [{ id: 150 }] });
      // While there are too many of them, none is looked at.
      const alone = row(-1, { recoveries: 5 });
      suspects.take(alone);
      looks = 0;
      expect(take('suspect', 20).batch).toEqual([]);
      expect(looks).toBe(0);
    },
  );
});
