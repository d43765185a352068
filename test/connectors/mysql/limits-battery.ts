import { APP, appNamed, type Limits, type Quota, type Want } from '../../../topology/core/limits';
import type { LimitedAccount } from '../../../topology/runtime/worker-registry';
import type { PortsWorld } from './ports-world';
import { newSession, Scene } from './scene';

const DAY_MS = 86_400_000;
/** Of a rate of which no account has a part of its own. */
const SHORT_MS = 3_000_000;
const quota = (count: number, windowMs = DAY_MS, gapMs = 0): Quota => ({ rates: [{ count, windowMs }], gapMs });

const channel = () => `c${newSession().slice(0, 20)}`;
const own = (name: string) => `${name}-${newSession().slice(0, 12)}`;

/** What bolts may count on where accounts have limits. Each test has accounts and a channel of its own. */
export function limitsBattery(open: () => Promise<PortsWorld>): void {
  const scene = new Scene(open);
  const taken = async (of: string, limits: Limits, ...wants: readonly Want[]) => {
    const { allowed, opensAt } = await scene.world.sendLimits(of).take(limits, wants);
    return { allowed: wants.map(({ account }) => allowed.get(account) ?? 0), opensAt };
  };
  const gateOf = async (of: string, account: string): Promise<LimitedAccount | undefined> =>
    (await scene.world.registry.pulse()).limited.find((one) => one.channel === of && one.account === account);

  test('what is allowed is counted, for whoever asks next, and each account has its own', async () => {
    const [name, a, b] = [channel(), own('a'), own('b')];
    const limits = { perAccount: quota(10) };
    expect(await taken(name, limits, { account: a, count: 7 }, { account: b, count: 1 })).toMatchObject({
      allowed: [7, 1],
      opensAt: new Map(),
    });
    const { allowed, opensAt } = await taken(name, limits, { account: a, count: 7 });
    expect(allowed).toEqual([3]);
    expect(opensAt.get(a)).toBeGreaterThan((await scene.world.now()) + DAY_MS);
    expect((await taken(name, limits, { account: a, count: 1 }, { account: b, count: 2 })).allowed).toEqual([0, 2]);
    expect(await gateOf(name, a)).toMatchObject({ gateUntil: opensAt.get(a), heldUntil: 0 });
    expect(await gateOf(name, b)).toBeUndefined();
    // Another channel is another provider.
    expect((await taken(channel(), limits, { account: a, count: 11 })).allowed).toEqual([10]);
  });

  test('1. Workers never exceed a limit together, of an account or of the app', async () => {
    const name = channel();
    const accounts = Array.from({ length: 5 }, (_, n) => own(`a${n}`));
    const limits = { perAccount: quota(30, SHORT_MS), perApp: quota(100, SHORT_MS) };
    const worker = async (turn: number) => {
      const total = new Map<string, number>();
      for (let round = 0; round < 6; round++) {
        const wants = accounts.map((_, n) => ({ account: accounts[(n + turn) % 5] as string, count: 3 }));
        const { allowed } = await taken(name, limits, ...wants);
        for (const [n, { account }] of wants.entries()) {
          total.set(account, (total.get(account) ?? 0) + (allowed[n] ?? 0));
        }
      }
      return total;
    };
    const totals = await Promise.all([0, 1, 2, 3, 4, 5].map(worker));
    const sums = accounts.map((account) => totals.reduce((sum, total) => sum + (total.get(account) ?? 0), 0));
    expect(sums.reduce((sum, one) => sum + one, 0)).toBe(100);
    for (const sum of sums) expect(sum).toBeLessThanOrEqual(30);
    expect(await gateOf(name, APP)).toBeDefined();
  });

  test("none of several accounts uses more of the app's day than it leaves, whoever counts", async () => {
    const [name, hog, small] = [channel(), own('a'), own('b')];
    const limits = { perApp: quota(20) };
    await taken(name, limits, { account: small, count: 1 });
    const all = await Promise.all([4, 4, 4, 4].map((count) => taken(name, limits, { account: hog, count })));
    const again = await taken(name, limits, { account: hog, count: 20 });
    expect(all.reduce((sum, { allowed }) => sum + (allowed[0] ?? 0), again.allowed[0] ?? 0)).toBe(10);
    expect([...again.opensAt.keys()]).toEqual([hog]);
    expect((await taken(name, limits, { account: small, count: 3 })).allowed).toEqual([3]);
    expect(await gateOf(name, APP)).toBeUndefined();
  });

  test('each app has its own limit, and what its provider has said holds its accounts alone, which are gated', async () => {
    const [name, a, b, c, d] = [channel(), own('a'), own('b'), own('c'), own('d')];
    const [one, other] = [appNamed('client-1'), appNamed('client-2')];
    const limits = { perApp: quota(5, SHORT_MS) };
    const wanted = [
      { account: a, count: 9, app: one },
      { account: b, count: 3, app: other },
      { account: c, count: 2 },
    ];
    const { at } = await scene.world.sendLimits(name).take(limits, wanted);
    expect((await taken(name, limits, ...wanted)).allowed).toEqual([0, 2, 2]);
    expect(await gateOf(name, a)).toBeDefined();
    expect([await gateOf(name, one), await gateOf(name, APP), await gateOf(name, c)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    await scene.world.sendLimits(name).giveBack(limits, [{ account: a, count: 2, at: at as number, app: one }]);
    expect((await taken(name, limits, { account: a, count: 9, app: one })).allowed).toEqual([2]);
    await scene.world.sendLimits(name).hold(other, 60_000);
    expect(await gateOf(name, other)).toBeUndefined();
    const held = await taken(
      name,
      { perApp: quota(50, SHORT_MS) },
      { account: d, count: 1, app: other },
      { account: c, count: 1 },
    );
    expect(held.allowed).toEqual([0, 1]);
    expect(await gateOf(name, d)).toMatchObject({ gateUntil: held.opensAt.get(d) });
  });

  test('what a provider has said of an app that credentials name holds its accounts where only accounts have limits', async () => {
    const [name, a, b] = [channel(), own('a'), own('b')];
    const [one, other] = [appNamed('client-1'), appNamed('client-2')];
    await scene.world.sendLimits(name).hold(one, 60_000);
    const wants = [
      { account: a, count: 1, app: one },
      { account: b, count: 1, app: other },
    ];
    const held = await taken(name, { perAccount: quota(5) }, ...wants);
    expect(held.allowed).toEqual([0, 1]);
    expect(await gateOf(name, a)).toMatchObject({ gateUntil: held.opensAt.get(a) });
    expect(await gateOf(name, b)).toBeUndefined();
  });

  test('no account waits for an app that credentials name once what was given back leaves it something', async () => {
    const [name, a, b, c] = [channel(), own('a'), own('b'), own('c')];
    const [one, other] = [appNamed('client-1'), appNamed('client-2')];
    const limits = { perApp: quota(5, SHORT_MS) };
    const { at } = await scene.world.sendLimits(name).take(limits, [{ account: a, count: 5, app: one }]);
    expect((await taken(name, limits, { account: b, count: 1, app: one })).allowed).toEqual([0]);
    await scene.world.sendLimits(name).hold(c, 60_000);
    const back = { account: a, count: 1, at: at as number };
    await scene.world.sendLimits(name).giveBack(limits, [{ ...back, app: other }]);
    expect(await gateOf(name, b)).toBeDefined();
    await scene.world.sendLimits(name).hold(one, 1_000);
    await scene.world.sendLimits(name).giveBack(limits, [{ ...back, app: one }]);
    expect([await gateOf(name, b), await gateOf(name, one)]).toEqual([undefined, undefined]);
    expect(await gateOf(name, c)).toBeDefined();
  });

  test('what is given back may be taken again, and whoever waited for it is not gated', async () => {
    const [name, a, b] = [channel(), own('a'), own('b')];
    const limits = { perAccount: quota(2, SHORT_MS), perApp: quota(3, SHORT_MS) };
    const { at } = await scene.world.sendLimits(name).take(limits, [{ account: a, count: 2 }]);
    await taken(name, limits, { account: b, count: 2 });
    expect(await gateOf(name, a)).toBeDefined();
    expect(await gateOf(name, APP)).toBeDefined();
    await scene.world.sendLimits(name).giveBack(limits, [{ account: a, count: 1, at: at as number }]);
    expect(await gateOf(name, a)).toBeUndefined();
    expect(await gateOf(name, APP)).toBeUndefined();
    const { allowed } = await taken(name, limits, { account: a, count: 2 }, { account: b, count: 1 });
    expect(allowed).toEqual([1, 0]);
    await scene.world.sendLimits(name).hold(a, 60_000);
    await scene.world.sendLimits(name).giveBack(limits, [{ account: a, count: 1, at: at as number }]);
    const gate = await gateOf(name, a);
    expect(gate?.gateUntil).toBe(gate?.heldUntil);
  });

  test('what a provider has said holds for all workers, and is not shortened by what it says later', async () => {
    const [name, a] = [channel(), own('a')];
    const limits = scene.world.sendLimits(name);
    await limits.hold(a, 60_000);
    await limits.hold(a, 1_000);
    const now = await scene.world.now();
    const gate = await gateOf(name, a);
    expect(gate?.heldUntil).toBeGreaterThan(now + 55_000);
    expect(gate?.gateUntil).toBe(gate?.heldUntil);
    const { allowed, opensAt } = await taken(name, { perAccount: quota(5) }, { account: a, count: 1 });
    expect([allowed, opensAt.get(a)]).toEqual([[0], gate?.heldUntil]);
    await limits.hold(APP, 30_000);
    const other = own('b');
    const both = await taken(name, { perAccount: quota(5) }, { account: other, count: 1 });
    expect([both.allowed, both.opensAt.has(APP)]).toEqual([[0], true]);
  });

  test('a gate that is over is reported no more', async () => {
    const [name, a] = [channel(), own('a')];
    await scene.world.sendLimits(name).hold(a, 0);
    expect(await gateOf(name, a)).toBeUndefined();
  });
}
