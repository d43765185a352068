import { backOff } from '../../../topology/core/retry-policy';

const policy = { baseMs: 100, capMs: 1_000 };

describe('backOff', () => {
  it('doubles, keeps half and draws half', () => {
    expect([1, 2, 3].map((attempts) => backOff(policy, attempts, 0))).toEqual([50, 100, 200]);
    expect([1, 2, 3].map((attempts) => backOff(policy, attempts, 1))).toEqual([100, 200, 400]);
  });

  it('stops at the cap, however many attempts', () => {
    expect(backOff(policy, 8, 1)).toBe(1_000);
    expect(backOff(policy, 5_000, 1)).toBe(1_000);
    expect(backOff({ baseMs: 0, capMs: 1_000 }, 1_025, 1)).toBe(0);
  });
});
