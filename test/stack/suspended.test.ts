import { SecretKey } from '../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../connectors/mysql/secrets/secret-store';
import { FakeProvider } from '../../deploy/fakes/fake-provider';
import { FakeMastodon } from '../../deploy/fakes/mastodon';
import { systemClock } from '../../topology/core/clock';
import { runCli } from '../support/stack/cli';
import { Deployment } from '../support/stack/deployment';
import { until } from '../support/until';

const MESSAGES = 60;
const OTHERS = 30;
/** Before the messages are due, milliseconds. */
const AHEAD = 3_000;
/** How late another account's message may be, milliseconds. */
const ON_TIME = 1_500;

let deployment: Deployment;
let protocol: FakeMastodon;
let fake: FakeProvider;

const [FIRST, SECOND, GOOD] = ['first-token-of-the-shop', 'second-token-of-the-shop', 'token-of-another-account'];
const tokens = { [FIRST]: 'shop', [SECOND]: 'shop', [GOOD]: 'good' };
const credentials = (token: string) => JSON.stringify({ instance: fake.url, token });
const cli = (args: readonly string[], input?: string) =>
  runCli(args, {
    environment: deployment.settings,
    ...(input === undefined ? {} : { input }),
  });
/** The same, for what must be done. */
async function done(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await cli(args, input);
  if (code !== 0) throw new Error(`downspout ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}
const onMastodon = ['--channel', 'mastodon'] as const;

beforeAll(async () => {
  protocol = new FakeMastodon({ clock: systemClock, tokens, limit: 10_000 });
  fake = await FakeProvider.start(protocol, systemClock);
  // One at a time, because of several requests of an account the one that has a connection first begins first.
  deployment = await Deployment.start(
    ['due', 'mastodon', 'mastodon'],
    '{ mastodon: { timeout: 3s, backOff: 200ms, backOffMax: 1s, perAccount: 1 } }',
  );
  const store = new SecretStore(deployment.sql, SecretKey.from(deployment.world.environment));
  await store.set('shop', 'mastodon', credentials(FIRST), { replace: true });
  await store.set('good', 'mastodon', credentials(GOOD), { replace: true });
}, 120_000);

afterAll(async () => {
  await deployment.close();
  await fake.close();
}, 60_000);

async function schedule(account: string, texts: readonly string[], dueAt: (n: number) => number): Promise<number[]> {
  const answers = await deployment.client.schedule(
    texts.map((text, n) => ({ account, channel: 'mastodon' as const, dueAt: dueAt(n), payload: { text } })),
  );
  return answers.map(({ id }) => id);
}

async function statesOf(ids: readonly number[]): Promise<string[]> {
  const messages = await deployment.client.get(ids.map((id) => ({ id })));
  return [...new Set(messages.map((message) => message?.state ?? 'gone'))].toSorted();
}

const become = (ids: readonly number[], state: string) =>
  until(`${ids.length} messages are ${state}`, async () => (await statesOf(ids)).join() === state, 60_000);

/** How often the server took each of these texts. */
const timesOf = (texts: readonly string[]) =>
  texts.map((text) => protocol.posts().filter((post) => post.text === text).length);

test('messages of an account whose token is revoked are suspended, and go out in their order once others are set', async () => {
  protocol.revoked.add(FIRST);
  const before = fake.calls.length;
  const texts = Array.from({ length: MESSAGES }, (_, n) => `of the shop ${n}`);
  const others = Array.from({ length: OTHERS }, (_, n) => `of the others ${n}`);
  const start = systemClock.now() + AHEAD;
  // In another order than that of their ids.
  const ids = await schedule('shop', texts, (n) => start + ((n * 37) % MESSAGES) * 10);
  const good = await schedule('good', others, (n) => start + n * 100);
  await become(ids, 'suspended');
  await become(good, 'delivered');
  for (const message of await deployment.client.get(good.map((id) => ({ id })))) {
    expect((message?.deliveredAt ?? Number.POSITIVE_INFINITY) - (message?.dueAt ?? 0)).toBeLessThan(ON_TIME);
  }
  const [first] = await deployment.client.get([{ id: ids[0] as number }]);
  expect(first).toMatchObject({ attempts: 0, inDoubt: false, lastError: expect.stringContaining('401') });
  expect(await done(['accounts', 'list'])).toMatch(/shop on mastodon is unusable since .*401/);
  // What comes due from now on asks the provider nothing.
  const asked = fake.calls.length;
  expect(asked - before).toBeLessThan(MESSAGES + OTHERS);
  const [later] = await schedule('shop', ['later'], () => systemClock.now());
  await become([later as number], 'suspended');
  expect(fake.calls).toHaveLength(asked);
  expect(await done(['messages', 'show', String(later)])).toContain('cannot be used on mastodon');
  expect((await cli(['status'])).stdout).toContain('are suspended, because their accounts cannot be used');

  const set = await done(['accounts', 'set', 'shop', ...onMastodon], credentials(SECOND));
  expect(set).toContain(`${MESSAGES + 1} suspended messages of the account will go out, the earliest due first.`);
  const all = [...ids, later as number];
  await become(all, 'delivered');
  expect(timesOf([...texts, 'later', ...others])).toEqual(Array.from({ length: MESSAGES + OTHERS + 1 }, () => 1));
  const inOrder = await deployment.sql.rows<[id: number, startedAt: number, session: string]>(
    `SELECT m.id, a.started_at, HEX(a.session) FROM scheduled_messages m JOIN delivery_attempts a ON a.message_id=m.id AND a.outcome='delivered'
     WHERE m.account='shop' ORDER BY m.due_at, m.id`,
  );
  // With the worker that sent each, because the order holds while none takes over from another.
  expect(inOrder).toEqual(inOrder.toSorted(([, one], [, other]) => one - other));
  await until('the account is usable', async () => {
    const [row] = await deployment.sql.rows<[string]>("SELECT state FROM account_states WHERE account='shop'");
    return row?.[0] === 'usable';
  });
  expect(await done(['verify', '--all'])).toMatch(/I6 +holds/);
}, 180_000);

test('one command asks for every account of a channel that is unusable, and those whose credentials are taken go on', async () => {
  await deployment.sql.run(
    "UPDATE account_states SET state='unusable', reason='HTTP 401' WHERE account IN ('shop', 'good') AND channel='mastodon'",
  );
  protocol.revoked.add(SECOND);
  const { code, stdout } = await cli(['accounts', 'test', '--unusable', ...onMastodon]);
  protocol.revoked.delete(SECOND);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^good: goes on\.\nshop: mastodon does not take these credentials/);
  const states = await deployment.sql.rows<[string, string]>(
    "SELECT account, state FROM account_states WHERE account IN ('shop', 'good') AND channel='mastodon' ORDER BY account",
  );
  expect(states[0]?.[1]).toMatch(/^(?:resuming|usable)$/);
  expect(states[1]).toEqual(['shop', 'unusable']);
  expect(await done(['accounts', 'test', '--unusable', ...onMastodon])).toBe('shop: goes on.\n');
}, 120_000);

test('what a person keeps back goes out when a person says so, and what is new goes out at once', async () => {
  await done(['accounts', 'disable', 'shop', ...onMastodon]);
  const kept = ['kept 0', 'kept 1', 'kept 2'];
  // Workers believe for half a minute that the account may be used.
  const ids = await schedule('shop', kept, (n) => systemClock.now() + 31_000 - n);
  await become(ids, 'suspended');
  expect(await done(['accounts', 'test', 'shop', ...onMastodon])).toContain('The account is disabled');
  const enabled = await done(['accounts', 'enable', 'shop', ...onMastodon, '--resume', 'keep']);
  expect(enabled).toContain('3 suspended messages of the account stay suspended');
  const [fresh] = await schedule('shop', ['fresh'], () => systemClock.now());
  await become([fresh as number], 'delivered');
  expect(await statesOf(ids)).toEqual(['suspended']);
  expect(await cli(['messages', 'resume', '--account', 'shop'])).toMatchObject({ code: 1 });
  const resumed = await done(['messages', 'resume', '--account', 'shop', '--yes']);
  expect(resumed).toBe('3 messages are scheduled again.\n');
  await become(ids, 'delivered');
  expect(timesOf([...kept, 'fresh'])).toEqual([1, 1, 1, 1]);
}, 180_000);
