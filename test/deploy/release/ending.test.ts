import type { Release } from '../../../connectors/mysql/operators/releases';
import type { LivingWorker } from '../../../connectors/mysql/operators/roll-view';
import { type EndingOptions, elsewhereOf, endEverything } from '../../../deploy/release/ending';
import type { RolloutResult } from '../../../deploy/release/rollout';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { ManualClock } from '../../support/manual-clock';

const release = (number: number, target: Release['target']): Release => ({
  number,
  target,
  environment: null,
  specification: {},
  packageVersion: '1',
  image: null,
  program: null,
  reason: 'deploy',
  who: 'ann',
  host: 'here',
  createdAt: 0,
  outcome: 'live',
  endedAt: null,
  detail: null,
});
const pod: LivingWorker = { component: 'webhook', replica: null, host: 'pod-1', pid: 1, releaseNumber: 3 };

const isRefused = () => Promise.reject(new UserError('the connection was refused'));

let clock: ManualClock;
let living: LivingWorker[];
let lapsed: LivingWorker[];
let log: string[];
beforeEach(() => {
  clock = new ManualClock();
  living = [pod];
  lapsed = [];
  log = [];
});

async function end(own: Partial<EndingOptions> = {}): Promise<RolloutResult> {
  const over: RolloutResult[] = [];
  const running = endEverything({
    elsewhere: [release(3, 'kubernetes')],
    endElsewhere: async ({ target }) => void log.push(target),
    endPlaced: async () => {
      log.push('local');
      return { result: 'done' };
    },
    living: async () => living,
    lapsed: async () => lapsed,
    limitMs: 60_000,
    clock,
    signal: new AbortController().signal,
    report: () => undefined,
    ...own,
  }).then((result) => over.push(result));
  while (over.length === 0) await clock.advance(100);
  await running;
  return over[0] as RolloutResult;
}

test('1. Everything has ended only when no worker is alive any more, whoever has started it', async () => {
  clock.after(20_000, () => {
    living = [];
  });
  expect(await end()).toEqual({ result: 'done' });
  expect(log).toEqual(['kubernetes', 'local']);
  expect(clock.monotonic()).toBeGreaterThanOrEqual(20_000);
  living = [pod, { component: 'due', replica: 2, host: 'host-1', pid: 42, releaseNumber: null }];
  expect(await end()).toEqual({
    result: 'failed',
    reason: expect.stringMatching(
      /^after 60 s there still run: webhook of release 3 on pod-1 \(process 1\); due-2 of release \? on host-1 \(process 42\)\. No supervisor/,
    ),
  });
});

test.each([
  ['one that lives renews it', true, 30_000],
  ['one that has died does not', false, 10_000],
])('2. A worker whose lease ran out has ended only when it does not renew it: %s', async (_, lives, leastMs) => {
  living = [];
  lapsed = [pod];
  clock.after(8_000, () => {
    if (lives) [living, lapsed] = [[pod], []];
  });
  clock.after(30_000, () => {
    living = [];
  });
  expect(await end()).toEqual({ result: 'done' });
  expect(clock.monotonic()).toBeGreaterThanOrEqual(leastMs);
  expect(clock.monotonic()).toBeLessThan(leastMs + 1_000);
});

test('2. A worker whose lease ran out has ended only when it does not renew it, after an outage too that came in between', async () => {
  lapsed = [pod];
  let away = false;
  clock.after(15_000, () => {
    away = true;
    living = [];
  });
  clock.after(40_000, () => {
    away = false;
  });
  const answers = async () => {
    if (away) throw new Unavailable('MySQL does not answer');
    return living;
  };
  expect(await end({ living: answers })).toEqual({ result: 'done' });
  expect(clock.monotonic()).toBeGreaterThanOrEqual(50_000);
});

test('an engine that cannot be reached has ended nothing, and that is the outcome', async () => {
  expect(await end({ endElsewhere: isRefused })).toEqual({ result: 'failed', reason: 'the connection was refused' });
  expect(log).toEqual([]);
});

test('a database that stumbles is waited for', async () => {
  let times = 0;
  const answers = async () => {
    if (times++ < 3) throw new Unavailable('MySQL does not answer');
    return [];
  };
  expect(await end({ living: answers })).toEqual({ result: 'done' });
});

test('of each other target the last release is ended', () => {
  const these = [release(1, 'compose'), release(2, 'kubernetes'), release(3, 'kubernetes'), release(4, 'local')];
  expect(elsewhereOf(these).map(({ number }) => number)).toEqual([1, 3]);
});
