import type { ClaimedRefresh, RefreshedCredentials, RefreshResult } from '../../../bolts/account-refreshes';
import type { PortsWorld } from './ports-world';
import { Scene } from './scene';

const LEASE_MS = 60_000;
const DUE = { expiresAt: 600_000, refreshAt: -1 };
const MANY = 1_000;
let accounts = 0;

/** What bolts may count on when they refresh credentials. */
export function refreshBattery(open: () => Promise<PortsWorld>): void {
  const scene = new Scene(open);

  /** A new account whose credentials `old` are to be refreshed. */
  async function account(lifetime = DUE): Promise<string> {
    const name = `refreshed-${++accounts}`;
    await scene.world.setCredentials(name, 'old', lifetime);
    return name;
  }

  const claimAll = (session: string, leaseMs = LEASE_MS, takesOver = true) =>
    scene.world.refreshes.claim('webhook', session, MANY, leaseMs, takesOver);
  const claimOf = async (name: string, session = scene.first, leaseMs = LEASE_MS) =>
    (await claimAll(session, leaseMs)).find((one) => one.account === name);
  async function claimed(name: string, session = scene.first, leaseMs = LEASE_MS): Promise<ClaimedRefresh> {
    const found = await claimOf(name, session, leaseMs);
    if (found === undefined) throw new Error(`${name} is not claimed`);
    return found;
  }
  const settle = (claim: ClaimedRefresh, result: RefreshResult, session = scene.first) =>
    scene.world.refreshes.settle('webhook', session, claim, result);
  const ask = async (name: string) =>
    scene.world.refreshes.ask('webhook', name, (await scene.world.credentialsOf(name)).generation);
  const refreshed: RefreshedCredentials = {
    kind: 'refreshed',
    credentials: 'new',
    expiresAt: 4_000_000_000_000,
    refreshAt: 3_999_999_000_000,
  };
  const later = { kind: 'later', reason: 'busy', delayMs: 0, isLost: false } as const;
  const refused = { kind: 'refused', reason: 'revoked' } as const;

  test('One refresher at a time: what one worker has claimed no other claims while the lease holds', async () => {
    const name = await account();
    const both = await Promise.all([claimAll(scene.first), claimAll(scene.second)]);
    expect(both.flat().filter((one) => one.account === name)).toEqual([
      {
        account: name,
        credentials: 'old',
        lostAt: null,
        expiresAt: expect.any(Number),
        isAsked: false,
        failures: 0,
        refusals: 0,
      },
    ]);
    expect(await claimOf(name, scene.second)).toBeUndefined();
  });

  test('what is not due, of another channel, or of an account that may not be used is not claimed', async () => {
    const early = await account({ expiresAt: 600_000, refreshAt: 60_000 });
    const disabled = await account();
    await scene.world.say(disabled, 'disabled');
    expect((await claimAll(scene.first)).map((one) => one.account)).not.toContain(early);
    expect(await claimOf(disabled)).toBeUndefined();
    const name = await account();
    expect(await scene.world.refreshes.claim('mastodon', scene.first, MANY, LEASE_MS, true)).toEqual([]);
    expect(await claimOf(name)).toBeDefined();
    await scene.world.say(disabled, 'usable');
    expect(await claimOf(disabled)).toBeDefined();
  });

  test('no more than are wanted are claimed, the earliest first', async () => {
    const [second, first] = [
      await account({ ...DUE, refreshAt: -50_000 }),
      await account({ ...DUE, refreshAt: -90_000 }),
    ];
    const names = (await scene.world.refreshes.claim('webhook', scene.first, 1, LEASE_MS, true)).map(
      (one) => one.account,
    );
    expect(names).toEqual([first]);
    expect(await claimOf(second)).toBeDefined();
  });

  test('new credentials take the place of the old ones in a new generation, and are not refreshed again at once', async () => {
    const name = await account();
    const before = await scene.world.credentialsOf(name);
    const claim = await claimed(name);
    expect(await settle(claim, refreshed)).toBe(true);
    // Its answer was lost, so it is written once more.
    expect(await settle(claim, refreshed)).toBe(true);
    expect(await scene.world.credentialsOf(name)).toEqual({
      credentials: 'new',
      generation: before.generation + 1,
      blocked: undefined,
    });
    expect(await scene.world.stateOf(name)).toBe('usable');
    expect(await claimOf(name)).toBeUndefined();
  });

  test('a refresh that gives the same credentials is written too, and they are not refreshed again at once', async () => {
    const name = await account();
    expect(await settle(await claimed(name, scene.first, 0), { ...refreshed, credentials: 'old' })).toBe(true);
    expect((await scene.world.credentialsOf(name)).credentials).toBe('old');
    expect(await claimOf(name)).toBeUndefined();
  });

  test('Only the credentials that were refreshed are replaced: those that a person has set meanwhile stay', async () => {
    const name = await account();
    const claim = await claimed(name);
    await scene.world.setCredentials(name, 'of a person', { expiresAt: 600_000, refreshAt: 500_000 });
    const { generation } = await scene.world.credentialsOf(name);
    for (const result of [refreshed, later, refused]) expect(await settle(claim, result)).toBe(false);
    expect(await scene.world.credentialsOf(name)).toEqual({
      credentials: 'of a person',
      generation,
      blocked: undefined,
    });
    expect(await claimOf(name)).toBeUndefined();
  });

  test('what a person says of the account meanwhile does not lose new credentials', async () => {
    const name = await account();
    const claim = await claimed(name);
    await scene.world.say(name, 'disabled');
    expect(await settle(claim, refreshed)).toBe(true);
    expect((await scene.world.credentialsOf(name)).credentials).toBe('new');
    expect(await scene.world.stateOf(name)).toBe('disabled');
  });

  test('A refresh that began is not forgotten: whoever claims next is told, until its answer is written', async () => {
    const name = await account();
    await claimed(name, scene.first, 0);
    const next = await claimed(name, scene.second, 0);
    expect(next.lostAt).toEqual(expect.any(Number));
    await settle(next, { ...later, isLost: true }, scene.second);
    expect((await claimed(name, scene.first, 0)).lostAt).toBe(next.lostAt);
    await settle(next, refreshed, scene.second);
    await ask(name);
    expect(await claimed(name)).toMatchObject({ credentials: 'new', lostAt: null, failures: 0 });
  });

  test('a refresh that never began, or was surely not taken, leaves nothing to fear', async () => {
    const name = await account();
    await settle(await claimed(name), { kind: 'unbegun' });
    const again = await claimed(name);
    expect(again).toMatchObject({ lostAt: null, failures: 0 });
    await settle(again, later);
    expect(await claimed(name)).toMatchObject({ lostAt: null, failures: 1 });
  });

  test('a worker whose lease has ended puts nothing off, and its late answer is written all the same', async () => {
    const name = await account();
    const claim = await claimed(name, scene.first, 0);
    await claimed(name, scene.second);
    expect(await settle(claim, { ...later, delayMs: 60_000 })).toBe(false);
    expect(await settle(claim, refused)).toBe(false);
    expect(await settle(claim, refreshed)).toBe(true);
    expect((await scene.world.credentialsOf(name)).credentials).toBe('new');
  });

  test('what is put off is not asked for sooner, whoever waits', async () => {
    const name = await account();
    await settle(await claimed(name), { ...later, delayMs: 600_000 });
    expect(await ask(name)).toEqual({ kind: 'asked' });
    expect(await claimOf(name)).toBeUndefined();
  });

  const refusedAgain = { ...later, reason: 'revoked', isRefusal: true } as const;

  test('what was put off after two refusals, because the credentials served still, is asked for as soon as somebody waits, once', async () => {
    const name = await account();
    await settle(await claimed(name), refusedAgain);
    await settle(await claimed(name), { ...refusedAgain, delayMs: 600_000 });
    expect(await claimOf(name)).toBeUndefined();
    expect(await ask(name)).toEqual({ kind: 'asked' });
    const again = await claimed(name);
    expect(again).toMatchObject({ isAsked: true, refusals: 2 });
    await settle(again, { ...later, delayMs: 600_000 });
    expect(await ask(name)).toEqual({ kind: 'asked' });
    expect(await claimOf(name)).toBeUndefined();
    const once = await account();
    await settle(await claimed(once), { ...refusedAgain, delayMs: 600_000 });
    expect(await ask(once)).toEqual({ kind: 'asked' });
    expect(await claimOf(once)).toBeUndefined();
  });

  test('so is one that is put off after somebody has begun to wait, because its claim did not know of that', async () => {
    const name = await account();
    await settle(await claimed(name), refusedAgain);
    const claim = await claimed(name);
    await ask(name);
    await settle(claim, { ...refusedAgain, delayMs: 600_000 });
    expect(await claimed(name)).toMatchObject({ isAsked: true, refusals: 2 });
    const once = await account();
    const first = await claimed(once);
    await ask(once);
    await settle(first, { ...refusedAgain, delayMs: 600_000 });
    expect(await claimOf(once)).toBeUndefined();
  });

  test('a refusal for good makes the account unusable with its reason, and nothing is asked any more', async () => {
    const name = await account();
    await settle(await claimed(name), refused);
    expect(await scene.world.credentialsOf(name)).toMatchObject({ credentials: 'old', blocked: 'revoked' });
    await scene.world.say(name, 'usable');
    expect(await claimOf(name)).toBeUndefined();
    expect(await ask(name)).toEqual({ kind: 'useless', reason: 'revoked' });
    await scene.world.setCredentials(name, 'of a person', DUE);
    expect(await claimOf(name)).toMatchObject({ credentials: 'of a person' });
  });

  test('an account that a person enables after a refusal for good, or while its refresh is put off, is refreshed at once', async () => {
    const name = await account();
    await settle(await claimed(name), refused);
    await scene.world.enable(name, 'keep');
    expect(await scene.world.stateOf(name)).toBe('usable');
    expect(await ask(name)).toEqual({ kind: 'asked' });
    const again = await claimed(name);
    expect(again).toMatchObject({ credentials: 'old', refusals: 0, failures: 0 });
    await settle(again, { ...later, delayMs: 600_000 });
    expect(await claimOf(name)).toBeUndefined();
    await scene.world.enable(name, 'keep');
    expect(await claimed(name)).toMatchObject({ refusals: 0, failures: 0 });
  });

  test('refusals that are not believed are counted, until there are other credentials or a person says that all is well', async () => {
    const name = await account();
    const again = async () => {
      const claim = await claimed(name);
      await settle(claim, { ...later, isRefusal: true });
      return claim.refusals;
    };
    expect([await again(), await again()]).toEqual([0, 1]);
    expect((await scene.world.credentialsOf(name)).blocked).toBeUndefined();
    await settle(await claimed(name), later);
    expect(await claimed(name)).toMatchObject({ failures: 3, refusals: 2 });
    const last = await account();
    await settle(await claimed(last), { ...later, isRefusal: true });
    await settle(await claimed(last), { ...refreshed, refreshAt: 0 });
    expect(await claimed(last)).toMatchObject({ failures: 0, refusals: 0 });
  });

  test('what another worker has begun is taken over only by one that says so, and a worker goes on with its own', async () => {
    const name = await account();
    await claimed(name, scene.first, 0);
    const careful = async (session: string) =>
      (await claimAll(session, 0, false)).find((one) => one.account === name)?.account;
    expect(await careful(scene.second)).toBeUndefined();
    expect(await careful(scene.first)).toBe(name);
    const claim = await claimed(name, scene.second, 0);
    expect(claim.lostAt).toEqual(expect.any(Number));
    await settle(claim, later, scene.second);
    // What was given back is anybody's.
    expect(await careful(scene.first)).toBe(name);
  });

  test('a refresh that is asked for is made at once, also for an account of which no end is known', async () => {
    const name = await account({ expiresAt: 600_000, refreshAt: 500_000 });
    expect(await ask(name)).toEqual({ kind: 'asked' });
    expect(await ask(name)).toEqual({ kind: 'asked' });
    expect(await claimed(name)).toMatchObject({ isAsked: true });
    const unknown = `refreshed-${++accounts}`;
    await scene.world.setCredentials(unknown, 'old', { expiresAt: null, refreshAt: null });
    expect(await ask(unknown)).toEqual({ kind: 'asked' });
    expect(await claimed(unknown)).toMatchObject({ isAsked: true, expiresAt: null });
  });

  test("credentials that cannot be opened are in nobody's way, and nobody has a lease on them", async () => {
    await claimAll(scene.second);
    const closed = await account({ ...DUE, refreshAt: -90_000 });
    await scene.world.spoil(closed);
    const good = await account({ ...DUE, refreshAt: -50_000 });
    const one = () => scene.world.refreshes.claim('webhook', scene.first, 1, LEASE_MS, true);
    expect((await one()).map((claim) => claim.account)).toEqual([good]);
    expect(await one()).toEqual([]);
    expect(await scene.world.isLeased(closed)).toBe(false);
  });

  test('who asks goes before what is only due, and asking again gives up no place', async () => {
    await claimAll(scene.second);
    const due = await account({ ...DUE, refreshAt: -90_000 });
    const [second, first] = [
      await account({ ...DUE, refreshAt: -50_000 }),
      await account({ ...DUE, refreshAt: -70_000 }),
    ];
    for (const name of [second, first, first]) await ask(name);
    const one = () => scene.world.refreshes.claim('webhook', scene.first, 1, LEASE_MS, true);
    expect([...(await one()), ...(await one())].map((claim) => claim.account)).toEqual([first, second]);
    expect(await claimOf(due)).toMatchObject({ isAsked: false });
  });

  test('credentials that were replaced meanwhile are not refreshed because the old ones were refused', async () => {
    const name = await account();
    const { generation } = await scene.world.credentialsOf(name);
    await settle(await claimed(name), refreshed);
    expect(await scene.world.refreshes.ask('webhook', name, generation)).toEqual({ kind: 'other' });
    expect(await claimOf(name)).toBeUndefined();
  });

  test('a refresh that was asked for and did not help is not asked for again', async () => {
    const name = await account({ expiresAt: 600_000, refreshAt: 500_000 });
    await ask(name);
    await settle(await claimed(name), refreshed);
    expect(await ask(name)).toEqual({ kind: 'useless', reason: null });
    expect(await claimOf(name)).toBeUndefined();
    await scene.world.refreshedAgo(name, 1_200_000);
    expect(await ask(name)).toEqual({ kind: 'asked' });
    expect(await claimed(name)).toMatchObject({ credentials: 'new', isAsked: true });
  });

  test('an account that was unusable goes on with new credentials', async () => {
    const name = await account();
    const claim = await claimed(name);
    await scene.world.say(name, 'unusable');
    expect(await settle(claim, refreshed)).toBe(true);
    expect(await scene.world.stateOf(name)).toBe('resuming');
  });
}
