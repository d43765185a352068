import { haltRules, rollRules } from '../../../deploy/monitoring/halt-rules';
import { noAttempts, type RollFigures } from '../../../deploy/release/roll-rules';
import { rollSteps } from '../../../deploy/release/roll-steps';
import { RollWatch } from '../../../deploy/release/roll-watch';
import { Rollout, type RolloutResult } from '../../../deploy/release/rollout';
import { ManualClock } from '../../support/manual-clock';
import { MemorySupervisors } from './supervisors';

const LEAD_MS = 2_000;
const replicas = new Map([
  ['webhook', 2],
  ['due', 2],
]);

/**
 * A roll of two senders and two spouts as it is by default, in which the new workers of one component are ready and do nothing.
 * @param perSecond messages that wake; each of the component's two workers has half of them
 */
async function roll(mute: string, perSecond: number, readyMs: number): Promise<RolloutResult | undefined> {
  const clock = new ManualClock();
  const supervisors = new MemorySupervisors(clock, readyMs);
  const muteSince = new Map<number, number>();
  const figures = (): RollFigures => {
    for (const { component, replica, observed } of supervisors.placements.values()) {
      if (component !== mute || observed?.releaseNumber !== 2 || muteSince.has(replica)) continue;
      // What a spout before has emitted is still sent.
      muteSince.set(replica, clock.monotonic() + (mute === 'due' ? LEAD_MS : 0));
    }
    const now = clock.monotonic();
    const waiting = [...muteSince.values()].map((since) => {
      const from = Math.max(since, now - rollRules.overdueSinceMs);
      return (Math.max(0, now - haltRules.overdueMs - from) / 1_000) * (perSecond / 2);
    });
    const messages = Math.floor(waiting.reduce((sum, count) => sum + count, 0));
    const overdue = new Map([['webhook', { messages, ofWorst: 0 }]]);
    const attempts = { fresh: noAttempts, others: noAttempts };
    return { ...attempts, overdue, cdcSilentMs: 500, isCrowded: false, paused: new Set<string>() };
  };
  const watch = new RollWatch(clock, figures());
  const rollout = new Rollout({
    port: supervisors,
    clock,
    signal: new AbortController().signal,
    report: () => undefined,
    judge: async () => watch.judge(figures()),
    leadMs: LEAD_MS,
  });
  const over: RolloutResult[] = [];
  const steps = rollSteps([...supervisors.placements.values()], replicas, () => false, 1);
  const running = rollout.run(steps, 2, 15_000).then((result) => over.push(result));
  while (over.length === 0) await clock.advance(100);
  await running;
  return over[0];
}

describe.each(['webhook', 'due'])(
  'a release whose new workers of %s do nothing is halted before it is live',
  (mute) => {
    test.each([10, 100, 1_000])('at %i messages a second', async (perSecond) => {
      for (const readyMs of [2_000, 4_000, 8_000]) {
        expect(await roll(mute, perSecond, readyMs)).toEqual({
          result: 'trouble',
          reason: expect.stringMatching(/messages are overdue/),
        });
      }
    });
  },
);
