import type { CredentialRefresh, RefreshAnswer } from '../../bolts/channel';
import type { Outcome } from '../../topology/message';
import { World } from './world';

const account = { account: 'account', channel: 'webhook' };
const refused: Outcome = { kind: 'unusable', reason: 'the token has ended' };
let world: World;
let answer: () => Promise<RefreshAnswer>;

beforeEach(async () => {
  const ask: CredentialRefresh['ask'] = async (_account, _credentials, mayStart) => {
    mayStart();
    return answer();
  };
  world = new World({ refresh: { isRotating: true, ask } });
  world.database.accounts.say(account, 'usable', ['old']);
  answer = async () => ({ kind: 'refreshed', credentials: 'new', expiresAt: null, refreshAt: null });
  await world.open();
});

afterEach(() => world.close());

it('a bolt refreshes the credentials of its channel, and a message that waits for them is not counted as tried', async () => {
  const row = world.row(100);
  world.channel.script(row.id, { outcome: refused });
  await world.database.refreshes.ask('webhook', 'account', 1);
  for (let passed = 0; passed < 10_000; passed += 500) {
    if (row.state === 'scheduled') world.emit(row);
    await world.advance(500);
  }
  expect(world.database.accounts.newest(account)).toBe('new');
  expect(row).toMatchObject({ state: 'delivered', version: 2 });
  expect(world.begun(row)).toHaveLength(2);
  expect(world.database.accounts.stateOf(account)).toBe('usable');
});

it('while a message waits for its credentials nothing counts towards giving it up', async () => {
  const row = world.row(100);
  world.channel.script(row.id, { outcome: refused }, { outcome: refused });
  for (let passed = 0; passed < 2_000; passed += 100) {
    if (row.state === 'scheduled') world.emit(row);
    await world.advance(100);
    if (row.version === 2) break;
  }
  expect(row).toMatchObject({ state: 'scheduled', firstAttemptAt: null, inDoubt: false });
});

it('a refresh that hangs holds up no message, and a bolt that drains waits until it is written', async () => {
  let end: ((given: RefreshAnswer) => void) | undefined;
  answer = () =>
    new Promise((resolve) => {
      end = resolve;
    });
  await world.database.refreshes.ask('webhook', 'account', 1);
  await world.advance(5_000);
  const row = world.row(100);
  world.emit(row);
  await world.advance(1_000);
  expect(row.state).toBe('delivered');
  let isDrained = false;
  const draining = world.bolt.drain().then(() => {
    isDrained = true;
  });
  await world.advance(5_000);
  expect(isDrained).toBe(false);
  end?.({ kind: 'refreshed', credentials: 'new', expiresAt: null, refreshAt: null });
  await draining;
  expect(world.database.accounts.newest(account)).toBe('new');
});
