import { ClaimAhead } from '../../../bolts/claim/claim-ahead';
import { Claimer } from '../../../bolts/claim/claimer';
import type { HeldRow } from '../../../bolts/held-row';
import { RetryUntilDone } from '../../../bolts/retry-until-done';
import { LimitGates } from '../../../bolts/send/limit-gates';
import { ManualClock } from '../../support/manual-clock';
import { MemoryDatabase } from '../../support/mysql/memory-database';

const onError = () => {};

function batchOf(count: number, misses: number): HeldRow[] {
  return Array.from({ length: count }, (_, id) => ({ id, misses, recoveries: 0 })) as unknown as HeldRow[];
}

/** A claim of one row takes a second, others 10 ms. */
function world() {
  const clock = new ManualClock();
  const rows = new MemoryDatabase(clock).sendRows();
  const ahead = new ClaimAhead(2_000);
  const measured = jest.spyOn(ahead, 'measured');
  const claimer = new Claimer({
    settings: { claimBatch: 100 },
    rows: {
      ...rows,
      claim: async (_, claimed) => {
        await clock.sleep(claimed.length === 1 ? 1_000 : 10);
        return claimed.length;
      },
    },
    session: 'a'.repeat(32),
    persistence: new RetryUntilDone({ clock, random: () => 0.5, onError }),
    clock,
    ahead,
    gates: new LimitGates({
      limits: undefined,
      sendLimits: undefined,
      channel: { warm: async () => undefined },
      databaseClock: { earliest: () => 0, latest: () => 0 },
      onError,
    }),
    onError,
  });
  return { clock, claimer, measured };
}

it('measures the rate of claims without the time in which only a claim of missed rows waited', async () => {
  const { clock, claimer, measured } = world();
  const missed = claimer.claim(batchOf(1, 1), 0);
  await clock.advance(700);
  const others = claimer.claim(batchOf(100, 0), 0);
  await clock.advance(400);
  await Promise.all([missed, others]);
  expect(measured.mock.calls).toEqual([[100, 10, 10]]);
});

it('does not take a stream of single messages for the rate at which a crowd can be claimed', async () => {
  const { clock, claimer, measured } = world();
  // Two claims on the way at every moment, of five rows each.
  for (let n = 0; n < 100; n++) {
    void claimer.claim(batchOf(5, 0), 0);
    await clock.advance(5);
  }
  await clock.advance(10);
  expect(measured.mock.calls).toEqual([]);
  void claimer.claim(batchOf(5, 0), 0);
  await clock.advance(5);
  const crowd = claimer.claim(batchOf(100, 0), 0);
  await clock.advance(10);
  await crowd;
  // The crowd alone, from its claim on.
  expect(measured.mock.calls).toEqual([[100, 10, 10]]);
});
