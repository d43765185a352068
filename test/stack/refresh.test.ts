import { SecretKey } from '../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../connectors/mysql/secrets/secret-store';
import { FakeProvider } from '../../deploy/fakes/fake-provider';
import { FakeX } from '../../deploy/fakes/x';
import { systemClock } from '../../topology/core/clock';
import { runCli } from '../support/stack/cli';
import { Deployment } from '../support/stack/deployment';
import { keepOutput, plantedSecret } from '../support/stack/planted-secrets';
import { testStackFolder } from '../support/stack/shared-stack';
import { until } from '../support/until';

const ACCOUNTS = ['shop', 'soon', 'revoked', 'lost'] as const;
const APP_SECRET = plantedSecret('x', 'app');
const HOUR_MS = 3_600_000;
const PATIENCE = 120_000;
/** Until the lease of a worker is over, milliseconds, and some more. */
const LEASE_OVER = 60_000;
/** A refused refresh is asked for again no sooner, and what a worker has begun is taken over no sooner, milliseconds. */
const LEAST_WAIT_MS = 60_000;

let deployment: Deployment;
let protocol: FakeX;
let fake: FakeProvider;
let store: SecretStore;

const tokenOf = (account: string) => plantedSecret('x', account);
const refreshTokenOf = (account: string) => plantedSecret('x', `${account}-refresh`);
const credentialsOf = (account: string, more: object = {}) =>
  JSON.stringify({
    token: tokenOf(account),
    refreshToken: refreshTokenOf(account),
    clientId: 'app',
    clientSecret: APP_SECRET,
    server: fake.url,
    ...more,
  });

async function cli(args: readonly string[], input?: string) {
  const options = { environment: deployment.settings, ...(input === undefined ? {} : { input }) };
  const result = await runCli(args, options);
  keepOutput(testStackFolder, args.join(' '), result.stdout + result.stderr);
  return result;
}

beforeAll(async () => {
  const tokens = Object.fromEntries(
    ACCOUNTS.map((name, n) => [tokenOf(name), { id: `224499494${n}`, username: name }]),
  );
  const refreshTokens = Object.fromEntries(ACCOUNTS.map((name) => [refreshTokenOf(name), tokenOf(name)]));
  const oauth = { clients: { app: APP_SECRET }, refreshTokens };
  protocol = new FakeX({ clock: systemClock, tokens, duplicateMs: 0, oauth });
  fake = await FakeProvider.start(protocol, systemClock);
  deployment = await Deployment.start(['due', 'x', 'x'], '{ x: { timeout: 20s, backOff: 200ms, backOffMax: 1s } }');
  store = new SecretStore(deployment.sql, SecretKey.from(deployment.world.environment));
}, PATIENCE);

afterAll(async () => {
  await deployment.close();
  await fake.close();
}, 60_000);

const refreshesOf = (account: string) =>
  fake.calls.filter((call) => protocol.refreshes(call) && String(call.body).includes(refreshTokenOf(account))).length;

async function schedule(account: string, text: string): Promise<number> {
  const message = { account, channel: 'x' as const, dueAt: systemClock.now(), payload: { text } };
  const [answer] = await deployment.client.schedule([message]);
  return (answer as { id: number }).id;
}

const become = (id: number, state: string) =>
  until(
    `message ${id} is ${state}`,
    async () => (await deployment.client.get([{ id }]))[0]?.state === state,
    LEASE_OVER,
  );

const stateOf = async (account: string) => {
  const [row] = await deployment.sql.rows<[string, string | null]>(
    `SELECT state, reason FROM account_states WHERE account='${account}' AND channel='x'`,
  );
  return row;
};

/**
 * Ends what a refresh waits for, as if the time had passed.
 * @param column `refresh_at` of one that was put off, `lease_until` of one that a worker has begun
 */
async function endWaitOf(account: string, column: 'refresh_at' | 'lease_until'): Promise<void> {
  const of = `account='${account}' AND channel='x'`;
  const isWaiting = column === 'refresh_at' ? 'claim IS NULL AND refusals=1' : 'claim IS NOT NULL';
  const now = 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)';
  let waitsMs: number | undefined;
  await until(`the refresh of ${account} waits`, async () => {
    const [row] = await deployment.sql.rows<[number]>(
      `SELECT ${column} - ${now} FROM account_refreshes WHERE ${of} AND ${isWaiting}`,
    );
    waitsMs = row?.[0];
    return waitsMs !== undefined;
  });
  expect(waitsMs).toBeGreaterThan(LEAST_WAIT_MS);
  await deployment.sql.run(`UPDATE account_refreshes SET ${column}=${now} WHERE ${of}`);
}

test(
  'a token is refreshed before it ends, once among all workers, and messages go out with the next one',
  async () => {
    const ends = new Date(systemClock.now() + 5 * 60_000).toISOString();
    const set = await cli(['accounts', 'set', 'soon', '--channel', 'x'], credentialsOf('soon', { expiresAt: ends }));
    expect(set.code).toBe(0);
    await until('the token is refreshed', () => refreshesOf('soon') === 1);
    await until('the next one is kept', async () => {
      const { stdout } = await cli(['accounts', 'expiring', '--within', '3h', '--json']);
      const [entry] = JSON.parse(stdout) as { account: string; expiresAt: number; failures: number }[];
      return entry?.account === 'soon' && entry.expiresAt > systemClock.now() + HOUR_MS && entry.failures === 0;
    });
    await become(await schedule('soon', 'with the next token'), 'delivered');
    expect(fake.calls.some(({ headers }) => headers.authorization === `Bearer ${tokenOf('soon')}`)).toBe(false);
    expect(refreshesOf('soon')).toBe(1);
    const shown = await cli(['accounts', 'show', 'soon', '--channel', 'x']);
    expect(shown.stdout).toMatch(/refreshToken: \*\*\*\n.*clientSecret: \*\*\*\n/s);
    expect(shown.stdout).toMatch(/refreshed: in 1 h/);
    expect((await cli(['accounts', 'expiring', '--within', '1m'])).stdout).toContain('No credentials end within 1 min');
  },
  PATIENCE,
);

test(
  'a token that X refuses is refreshed before its account is unusable; no message is lost or sent twice',
  async () => {
    await store.set('shop', 'x', credentialsOf('shop'), { replace: true });
    protocol.revoked.add(tokenOf('shop'));
    const texts = Array.from({ length: 20 }, (_, n) => `of the shop ${n}`);
    const ids = await Promise.all(texts.map((text) => schedule('shop', text)));
    for (const id of ids) await become(id, 'delivered');
    for (const text of texts) expect(protocol.posts().filter((post) => post.text === text)).toHaveLength(1);
    expect(refreshesOf('shop')).toBe(1);
    expect((await stateOf('shop'))?.[0]).toBe('usable');
  },
  PATIENCE,
);

test(
  'where the refresh is refused too the account is unusable, and goes on with what a person sets',
  async () => {
    await store.set('revoked', 'x', credentialsOf('revoked'), { replace: true });
    protocol.revoked.add(tokenOf('revoked'));
    protocol.oauth.spent.add(refreshTokenOf('revoked'));
    const id = await schedule('revoked', 'waits for a person');
    await endWaitOf('revoked', 'refresh_at');
    await become(id, 'suspended');
    expect((await stateOf('revoked'))?.[1]).toContain('X does not take the refresh token');
    expect(refreshesOf('revoked')).toBe(2);
    protocol.revoked.delete(tokenOf('revoked'));
    const set = await cli(['accounts', 'set', 'revoked', '--channel', 'x'], credentialsOf('revoked'));
    expect(set.stdout).toContain('1 suspended message of the account will go out');
    await become(id, 'delivered');
  },
  PATIENCE,
);

test(
  'a worker that is killed between the answer of X and the table loses the account aloud',
  async () => {
    fake.order({ do: 'hang', to: 'refresh', match: refreshTokenOf('lost') });
    const now = systemClock.now();
    const lifetime = { expiresAt: now + HOUR_MS, refreshAt: now };
    await store.set('lost', 'x', credentialsOf('lost'), { replace: true, lifetime });
    await until('X is asked', () => refreshesOf('lost') === 1);
    const [owner] = await deployment.sql.rows<[number]>(
      "SELECT w.pid FROM account_refreshes r JOIN workers w ON w.session=r.claim WHERE r.account='lost'",
    );
    const index = deployment.processes.findIndex(({ pid }) => pid === owner?.[0]);
    expect(index).toBeGreaterThan(-1);
    deployment.kill(index);
    // The access token has ended with the answer.
    const id = await schedule('lost', 'waits for a person too');
    await endWaitOf('lost', 'lease_until');
    await endWaitOf('lost', 'refresh_at');
    await become(id, 'suspended');
    expect((await stateOf('lost'))?.[1]).toMatch(/was perhaps answered.*Connect the account again/);
    expect(refreshesOf('lost')).toBe(3);
  },
  PATIENCE,
);
