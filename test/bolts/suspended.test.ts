import type { Outcome } from '../../topology/message';
import type { MemoryRow } from '../support/mysql/memory-table';
import { World, type WorldOptions } from './world';

let world: World;

async function start(options: WorldOptions = {}): Promise<void> {
  world = await new World(options).open();
}

afterEach(() => world.close());

const refused: Outcome = { kind: 'unusable', reason: 'the token was revoked', generation: 0 };
const account = { account: 'account', channel: 'webhook' };

/** Emits rows whenever they are scheduled, in the order in which they are due, as the spouts would, for so long. */
async function run(given: readonly MemoryRow[], milliseconds: number): Promise<void> {
  const rows = given.toSorted((a, b) => a.dueAt - b.dueAt);
  for (let passed = 0; passed < milliseconds; passed += 500) {
    for (const row of rows) if (row.state === 'scheduled') world.emit(row);
    await world.advance(500);
  }
}

async function resume(): Promise<void> {
  world.database.accounts.say(account, 'resuming');
  for (let turn = 0; turn < 20; turn++) await world.database.suspendedRows().resume(undefined);
}

it('a message whose credentials are refused is suspended with the reason, and costs no attempt', async () => {
  await start();
  const row = world.row(100);
  world.channel.script(row.id, { outcome: refused });
  await run([row], 5_000);
  expect(row).toMatchObject({ state: 'suspended', attempts: 0, version: 1, lastError: 'the token was revoked' });
  expect(row.firstAttemptAt).toBeNull();
  expect(world.begun(row)).toHaveLength(1);
  expect(world.database.accounts.stateOf(account)).toBe('unusable');
  await resume();
  await run([row], 1_000);
  expect(row).toMatchObject({ state: 'delivered', attempts: 1, version: 2 });
});

it('after the account was mended its messages go out once each, in the order in which they are due', async () => {
  await start({ settings: { perAccount: 1 } });
  const rows = [400, 100, 300, 200].map((delay) => world.row(delay));
  for (const { id } of rows) world.channel.script(id, { outcome: refused, isUnwritten: true });
  await run(rows, 2_000);
  expect(world.states(rows)).toEqual(['suspended']);
  await resume();
  await run(rows, 2_000);
  expect(world.states(rows)).toEqual(['delivered']);
  const inOrder = rows.toSorted((a, b) => a.dueAt - b.dueAt).map(({ id }) => id);
  expect(world.channel.accepted).toEqual(inOrder);
});

it('a refusal of credentials that a person has replaced meanwhile suspends nothing', async () => {
  await start();
  const row = world.row(100);
  world.channel.script(row.id, { outcome: refused, after: 1_000 });
  world.emit(row);
  await world.advance(500);
  world.database.accounts.say(account, 'resuming');
  await run([row], 3_000);
  expect(row).toMatchObject({ state: 'delivered', attempts: 1, version: 2 });
  expect(world.database.accounts.stateOf(account)).toBe('resuming');
});

it('a refusal of credentials that nobody can name postpones the message, as a fault of our own does', async () => {
  await start();
  const row = world.row(100);
  world.channel.script(row.id, { outcome: { kind: 'unusable', reason: 'an older channel says so' } });
  await run([row], 500);
  expect(row).toMatchObject({ state: 'scheduled', version: 2, lastError: 'an older channel says so' });
});

it('a message whose refusal is yet to be confirmed looks again when that is due, and has spent no attempt', async () => {
  await start();
  const row = world.row(100);
  world.channel.script(row.id, { outcome: { kind: 'unusable', reason: 'HTTP 401', afterMs: 2_000 } });
  await run([row], 1_000);
  expect(row).toMatchObject({ state: 'scheduled', version: 2, attempts: 0, inDoubt: false, lastError: 'HTTP 401' });
  expect(row.firstAttemptAt).toBeNull();
  expect(world.database.accounts.stateOf(account)).toBe('usable');
  await run([row], 3_000);
  expect(row).toMatchObject({ state: 'delivered', version: 2, attempts: 1 });
});

it('the time for which a message was suspended does not count towards giving up', async () => {
  await start({ giveUpAfterMs: 60_000 });
  const row = world.row(100);
  const busy: Outcome = { kind: 'retry', reason: 'busy', status: 503 };
  world.channel.script(row.id, { outcome: busy }, { outcome: refused }, { outcome: busy });
  await run([row], 10_000);
  expect(row.state).toBe('suspended');
  await world.advance(86_400_000);
  await resume();
  await run([row], 10_000);
  expect(row.state).toBe('delivered');
});

describe('a suspended message in doubt', () => {
  it('that could not be looked up stays in doubt, and is looked up when its account is mended', async () => {
    await start({ class: 'lookup' });
    const row = Object.assign(world.row(100), { inDoubt: true, doubtSince: world.database.now() });
    world.channel.lookups.set(row.id, { kind: 'unusable', reason: 'the token was revoked', generation: 0 });
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'suspended', inDoubt: true, attempts: 0 });
    world.channel.lookups.set(row.id, { kind: 'accepted', receipt: 'earlier' });
    await resume();
    await run([row], 2_000);
    expect(row).toMatchObject({ state: 'delivered', receipt: 'earlier' });
    expect(world.begun(row)).toEqual([]);
  });

  it("keeps a person's decision for when it is sent", async () => {
    await start({ class: 'blind' });
    const row = Object.assign(world.row(100), { inDoubt: true, decided: true, doubtSince: world.database.now() });
    world.channel.script(row.id, { outcome: refused, isUnwritten: true });
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'suspended', inDoubt: true, decided: true });
    await resume();
    await run([row], 2_000);
    expect(row).toMatchObject({ state: 'delivered' });
    expect(world.begun(row)).toHaveLength(1);
  });

  it('is edited by nobody, and becomes uncertain when it is canceled', async () => {
    await start({ class: 'lookup' });
    const row = Object.assign(world.row(100), { inDoubt: true, doubtSince: world.database.now() });
    world.channel.lookups.set(row.id, { kind: 'unusable', reason: 'the token was revoked', generation: 0 });
    await run([row], 1_000);
    expect(world.database.edit(row.id, { dueAt: 0 })).toEqual({ result: 'in_doubt' });
    expect(world.database.cancel(row.id)).toEqual({ result: 'in_doubt' });
    expect(row).toMatchObject({ state: 'uncertain', inDoubt: true });
  });
});

it('many messages of one account that cannot be used make no other message late', async () => {
  await start();
  world.channel.byHost = (_, of) => (of === 'bad' ? { outcome: refused, isUnwritten: true } : undefined);
  const bad = world.rows(500, 100, { account: 'bad' });
  const others = world.rows(40, 100, { account: 'good' });
  world.emit(...bad, ...others);
  await world.advance(12_000);
  const late = others.map((row) => (world.begun(row)[0] ?? Number.NaN) - row.dueAt);
  expect(Math.max(...late)).toBeLessThan(200);
  expect([world.states(others), world.states(bad)]).toEqual([['delivered'], ['suspended']]);
});

it('what a person has kept back stays so when the account is mended later, and what is suspended since goes out', async () => {
  await start();
  const { accounts } = world.database;
  const [kept, next] = [world.row(100), world.row(4_000)];
  world.channel.script(kept.id, { outcome: refused });
  world.channel.script(next.id, { outcome: { ...refused, generation: 1 } });
  await run([kept], 2_000);
  accounts.set(account, ['two'], 'keep');
  for (let turn = 0; turn < 5; turn++) await world.database.suspendedRows().resume(undefined);
  await run([next], 4_000);
  expect(world.states([kept, next])).toEqual(['suspended']);
  expect(accounts.stateOf(account)).toBe('unusable');
  accounts.set(account, ['three']);
  for (let turn = 0; turn < 5; turn++) await world.database.suspendedRows().resume(undefined);
  await run([kept, next], 3_000);
  expect(next.state).toBe('delivered');
  expect(kept.state).toBe('suspended');
  expect(accounts.stateOf(account)).toBe('usable');
});
