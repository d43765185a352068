import { LateRows } from '../../../bolts/claim/late-rows';
import type { HeldRow } from '../../../bolts/held-row';
import type { Lateness } from '../../../bolts/send/lateness';
import type { UnclaimedResult } from '../../../bolts/send-rows';

const ROWS = 20_000;
const late = { isOver: () => true, isPutOff: () => false, resultOf: ({ id }: HeldRow) => ({ id }) as UnclaimedResult };

/** Settles rows of which those with odd ids belong to another task. */
async function settle(): Promise<{ looks: number; batches: number[]; over: boolean[] }> {
  let looks = 0;
  const batches: number[] = [];
  const over: boolean[] = [];
  await new Promise<void>((resolve) => {
    const rows = new LateRows({
      rows: {
        settleUnclaimed: async (_, results) => {
          batches.push(results.length);
          return results.map(({ id }) => id);
        },
      },
      session: '00',
      late: late as Partial<Lateness> as Lateness,
      advance: resolve,
      onError: (_, error) => {
        throw error;
      },
    });
    for (let id = 0; id < ROWS; id++) {
      const row = {
        id,
        get revoked() {
          looks++;
          return id % 2 === 1;
        },
      } as HeldRow;
      rows.add(row, (isOver) => {
        over[id] = isOver;
      });
    }
  });
  return { looks, batches, over };
}

test('many late rows of one account are settled in batches, at one look each; what is another task’s is given back', async () => {
  const { looks, batches, over } = await settle();
  expect(batches).toEqual(Array.from({ length: ROWS / 2 / 500 }, () => 500));
  expect(over).toEqual(Array.from({ length: ROWS }, (_, id) => id % 2 === 0));
  expect(looks).toBe(ROWS);
});
