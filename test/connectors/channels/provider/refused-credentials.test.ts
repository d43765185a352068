import { RefusedCredentials } from '../../../../connectors/channels/provider/refused-credentials';
import { ManualClock } from '../../../support/manual-clock';

const refusal = { account: 'a', generation: 1, reason: 'HTTP 401', isFinal: false } as const;

let clock: ManualClock;
let refused: RefusedCredentials;

beforeEach(() => {
  clock = new ManualClock();
  refused = new RefusedCredentials(clock);
});

test('a mistake that lasts less than five minutes is not believed, also where trials take longer than a trial may and are refused together', async () => {
  refused.add({ ...refusal, isTrial: false });
  await clock.advance(60_000);
  // A message with images: its uploads take several time-outs, and then its publication is refused.
  expect(refused.look('a', 1)).toBe('trial');
  await clock.advance(30_000);
  expect(refused.look('a', 1)).toBe('trial');
  await clock.advance(1_000);
  expect(refused.add({ ...refusal, isTrial: true }).afterMs).toBe(60_000);
  expect(refused.add({ ...refusal, isTrial: true }).afterMs).toBe(60_000);
  await clock.advance(239_000);
  expect(refused.look('a', 1)).toMatchObject({ afterMs: 1_000 });
  await clock.advance(1_000);
  expect(refused.look('a', 1)).toBe('trial');
  expect(refused.add({ ...refusal, isTrial: true }).afterMs).toBeUndefined();
});

test('A provider that does not answer is no flood: of a thousand messages of an account each looks again each minute', async () => {
  const MESSAGES = 1_000;
  const TIMEOUT_MS = 10_000;
  refused.add({ ...refusal, isTrial: false });
  const end = clock.monotonic() + 660_000;
  const lookAt = Array.from({ length: MESSAGES }, () => clock.monotonic() + 60_000);
  let [looks, trials] = [0, 0];
  let trialEnds: number | undefined;
  while (clock.monotonic() < end) {
    const now = clock.monotonic();
    if (trialEnds !== undefined && now >= trialEnds) {
      refused.tryNext('a', 1, false);
      trialEnds = undefined;
    }
    for (let n = 0; n < MESSAGES; n++) {
      if ((lookAt[n] as number) > now) continue;
      looks += 1;
      const said = refused.look('a', 1);
      if (said === 'trial') {
        trials += 1;
        trialEnds = now + TIMEOUT_MS;
        lookAt[n] = trialEnds + 60_000;
      } else lookAt[n] = now + (said?.afterMs ?? 0);
    }
    await clock.advance(500);
  }
  expect(trials).toBeGreaterThanOrEqual(9);
  expect(looks).toBeLessThanOrEqual(12 * MESSAGES);
});

test('trials without an answer are ever further apart, up to a minute, and an answer of any kind ends that', async () => {
  refused.add({ ...refusal, isTrial: false });
  await clock.advance(60_000);
  for (const waitMs of [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    expect(refused.look('a', 1)).toBe('trial');
    refused.tryNext('a', 1, false);
    await clock.advance(waitMs - 1);
    expect(refused.look('a', 1)).toMatchObject({ afterMs: 1 });
    await clock.advance(1);
  }
  expect(refused.look('a', 1)).toBe('trial');
  refused.tryNext('a', 1, true);
  expect(refused.look('a', 1)).toBe('trial');
  refused.forget('a', 1);
  expect(refused.look('a', 1)).toBeUndefined();
});
