import { z } from 'zod';
import type { StoredAccount } from '../../../../connectors/channels/account-secrets';
import { credentialFields } from '../../../../connectors/channels/credentials';
import { ProviderAccounts, type ReadyAccount } from '../../../../connectors/channels/provider/provider-accounts';
import { storedAs } from '../../../support/channels/stored-accounts';
import { ManualClock } from '../../../support/manual-clock';

const schema = z.object({ token: z.string().register(credentialFields, { prompt: 'token', isSecret: true }) });
type Ready = ReadyAccount<z.infer<typeof schema>>;

const revoked = { kind: 'unusable', reason: 'revoked', status: 401 } as const;
const MISTAKE = "revoked. It may be a mistake of the provider's, so it is asked again";

let clock: ManualClock;
let stored: StoredAccount;
let accounts: ProviderAccounts<typeof schema>;

const credentials = (token: string, generation: number): StoredAccount =>
  storedAs([JSON.stringify({ token })], generation);

beforeEach(() => {
  clock = new ManualClock();
  stored = credentials('one', 4);
  accounts = new ProviderAccounts('mastodon', schema, { clock, secretsOf: async () => new Map([['a', stored]]) });
});

/** Makes a request, if the account lets it. @returns undefined when it does not */
async function request(): Promise<Ready | undefined> {
  const ready = await accounts.readyOf('a');
  return 'kind' in ready ? undefined : ready;
}

async function refused(outcome: Parameters<typeof accounts.judged>[2] = revoked) {
  const ready = await request();
  return ready === undefined ? undefined : accounts.judged('a', ready, outcome);
}

test('One refusal is not believed unless it is final: the credentials are tried again, twice within five minutes', async () => {
  expect(await refused()).toEqual({ ...revoked, reason: MISTAKE, afterMs: 60_000 });
  await clock.advance(59_000);
  expect(await accounts.readyOf('a')).toEqual({ kind: 'unusable', reason: MISTAKE, afterMs: 1_000 });
  await clock.advance(1_000);
  expect(await refused()).toMatchObject({ afterMs: 60_000 });
  await clock.advance(239_000);
  expect(await refused()).toBeUndefined();
  await clock.advance(1_000);
  expect(await refused()).toEqual({ ...revoked, generation: 4 });
  expect(await accounts.readyOf('a')).toEqual({ kind: 'unusable', reason: 'revoked', generation: 4 });
});

test('a refusal that is final is believed at once', async () => {
  expect(await refused({ ...revoked, isFinal: true })).toEqual({ ...revoked, isFinal: true, generation: 4 });
  expect(await accounts.readyOf('a')).toEqual({ kind: 'unusable', reason: 'revoked', generation: 4 });
});

test('what is taken again was a mistake, and the next refusal is the first one', async () => {
  await refused();
  await clock.advance(60_000);
  await refused({ kind: 'delivered' });
  expect(await refused()).toMatchObject({ afterMs: 60_000 });
  await clock.advance(60_000);
  await refused({ kind: 'accepted' });
  expect(await refused()).toMatchObject({ afterMs: 60_000 });
});

test('requests that were on the way together are one refusal', async () => {
  const [first, second] = (await Promise.all([request(), request()])) as [Ready, Ready];
  await accounts.judged('a', first, revoked);
  await clock.advance(5_000);
  expect(await accounts.judged('a', second, revoked)).toMatchObject({ afterMs: 55_000 });
  await clock.advance(55_000);
  expect(await refused()).toMatchObject({ afterMs: 60_000 });
  await clock.advance(60_000);
  expect(await request()).toBeUndefined();
});

test('One request at a time tries them: the messages of the account wait meanwhile, and not for ever', async () => {
  await refused();
  await clock.advance(60_000);
  const trial = (await request()) as Ready;
  expect(trial.isTrial).toBe(true);
  expect(await accounts.readyOf('a')).toEqual({ kind: 'unusable', reason: MISTAKE, afterMs: 2_000 });
  // It says nothing of the credentials, so another one is a trial, a moment later.
  await accounts.judged('a', trial, { kind: 'retry', reason: 'busy' });
  expect(await request()).toBeUndefined();
  await clock.advance(2_000);
  expect(await request()).toMatchObject({ isTrial: true });
  expect(await request()).toBeUndefined();
  // This one never ends.
  await clock.advance(30_000);
  expect(await request()).toMatchObject({ isTrial: true });
});

test('a lookup that found nothing leaves the trial to the message itself', async () => {
  await refused();
  await clock.advance(60_000);
  await accounts.judged('a', (await request()) as Ready, { kind: 'absent' });
  expect(await refused()).toMatchObject({ afterMs: 60_000 });
  await clock.advance(240_000);
  await accounts.judged('a', (await request()) as Ready, { kind: 'absent' });
  expect(await refused()).toEqual({ ...revoked, generation: 4 });
});

test('credentials that a person has set since are tried at once', async () => {
  await refused({ ...revoked, isFinal: true });
  stored = credentials('two', 5);
  await clock.advance(1_001);
  expect(await request()).toMatchObject({ credentials: { token: 'two' }, generation: 5, isTrial: false });
  expect(await refused()).toMatchObject({ afterMs: 60_000 });
});

test('Credentials whose refusal is believed are not tried again for a minute, whether the database has the mark or not', async () => {
  await refused({ ...revoked, isFinal: true });
  await clock.advance(59_999);
  expect(await request()).toBeUndefined();
  await clock.advance(1);
  expect(await request()).toMatchObject({ isTrial: false });
  stored = { ...stored, blocked: 'revoked' };
  await refused({ ...revoked, isFinal: true });
  await clock.advance(60_000);
  expect(await accounts.readyOf('a')).toEqual({ kind: 'unusable', reason: 'revoked', generation: 4 });
});
