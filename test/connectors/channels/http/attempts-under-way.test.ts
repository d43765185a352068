import { AttemptsUnderWay, type Bounded } from '../../../../connectors/channels/http/attempts-under-way';
import { ManualClock } from '../../../support/manual-clock';

const attempt = (deadline: number) => ({ deadline, expire: jest.fn() }) satisfies Bounded;

describe('attempts under way', () => {
  test('expire within a sweep after their deadline, which may come nearer', async () => {
    const clock = new ManualClock();
    const underWay = new AttemptsUnderWay(clock, 10_000);
    const [late, nearer, done] = [attempt(10_000), attempt(10_000), attempt(10_000)];
    for (const one of [late, nearer, done]) underWay.add(one);
    underWay.remove(done);
    await clock.advance(4_000);
    nearer.deadline = 5_000;
    await clock.advance(1_100);
    expect(nearer.expire).toHaveBeenCalledTimes(1);
    expect(late.expire).not.toHaveBeenCalled();
    await clock.advance(5_000);
    expect(late.expire).toHaveBeenCalledTimes(1);
    expect(done.expire).not.toHaveBeenCalled();
    expect(clock.timers).toBe(0);
  });

  test('expire when all are ended, once', async () => {
    const clock = new ManualClock();
    const underWay = new AttemptsUnderWay(clock, 1_000);
    const [one, other] = [attempt(1_000), attempt(2_000)];
    for (const each of [one, other]) underWay.add(each);
    underWay.expireAll();
    expect(underWay.size).toBe(0);
    await clock.advance(3_000);
    for (const each of [one, other]) expect(each.expire).toHaveBeenCalledTimes(1);
  });

  test('leave no timer behind', async () => {
    const clock = new ManualClock();
    const underWay = new AttemptsUnderWay(clock, 1_000);
    underWay.add(attempt(1_000));
    expect(clock.timers).toBe(1);
    underWay.close();
    expect(clock.timers).toBe(0);
  });
});
