import type { NewMessage } from '../../../connectors/mysql/client/client';
import { SecretKey } from '../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../connectors/mysql/secrets/secret-store';
import type { FailPoint, FailPointName } from '../../../deploy/worker/fail-points';
import { systemClock } from '../../../topology/core/clock';
import { runCli, variablesOf } from '../../support/stack/cli';
import { Deployment } from '../../support/stack/deployment';
import { plantedSecret } from '../../support/stack/planted-secrets';
import { Victim } from '../../support/stack/victim';
import { until } from '../../support/until';
import { Pds, type PdsUser } from '../servers/pds';

/** Each worker opens a session for each of its accounts, which costs the server much. */
const ACCOUNTS = 16;
/** Messages of each account at one instant: enough that a bolt's share, which is half of them, is claimed ahead of it. */
const EACH = 30;
/** From scheduling to the instant, milliseconds: longer than the lead. */
const AHEAD = 3_500;
/** A crowd has been sent within this time from its instant, milliseconds. */
const SENT_WITHIN = 20_000;
const CROWDS = 12;
const DRAIN = 20_000;
/** For workers to come and go, milliseconds. */
const LIMIT = 60_000;
/** Of one run; a row of a dead worker waits for its lease, and until its request can be accepted no more. Milliseconds. */
const PATIENCE = 600_000;
const SETTLED = 200_000;

/** The server does one thing after another: with more requests at a time each would be slow, and nothing claimed ahead. Without limits, because
 * crowds are sent until all victims have died. */
const SETTINGS = '{ timeout: 10s, perOrigin: 8, backOff: 200ms, backOffMax: 1s, limits: { perAccount: {} } }';

const accounts = Array.from({ length: ACCOUNTS }, (_, n) => `poster-${n}`);
const password = (account: string) => plantedSecret('bluesky', account);

let pds: Pds;
let users: readonly PdsUser[];
let deployment: Deployment;
let victims: Victim[] = [];

beforeAll(async () => {
  // What is tried here are deaths of workers: no message is to wait for an hour.
  pds = await Pds.start(false);
  const joined: PdsUser[] = [];
  for (const account of accounts) joined.push(await pds.join(`${account}.test`, password(account)));
  users = joined;
  deployment = await Deployment.start(['due', 'bluesky'], `{ bluesky: ${SETTINGS} }`);
  const store = new SecretStore(deployment.sql, SecretKey.from(deployment.world.environment));
  for (const account of accounts.slice(1)) {
    await store.set(account, 'bluesky', JSON.stringify(credentialsOf(account)), { replace: true });
  }
}, 600_000);

afterAll(async () => {
  await deployment?.close();
  await pds?.stop();
}, 60_000);

afterEach(async () => {
  await Promise.all(victims.splice(0).map((victim) => victim.stop(DRAIN)));
}, 60_000);

function credentialsOf(account: string): object {
  return { identifier: `${account}.test`, password: password(account), server: pds.url() };
}

async function schedule(
  payloads: readonly { readonly text: string; readonly replyTo?: string }[],
  dueAt = systemClock.now(),
): Promise<number[]> {
  const messages = payloads.map(
    (payload, n): NewMessage => ({
      account: accounts[n % ACCOUNTS] as string,
      channel: 'bluesky',
      dueAt,
      payload,
    }),
  );
  return (await deployment.client.schedule(messages)).map(({ id }) => id);
}

/** What the server has, by its address. */
async function posts(): Promise<ReadonlyMap<string, string>> {
  const all = await Promise.all(users.map((user) => pds.posts(user)));
  return new Map(all.flat().map(({ uri, value }) => [uri, value.text]));
}

/** @param sent texts by message */
async function expectEachOnce(sent: ReadonlyMap<number, string>): Promise<void> {
  const kept = await posts();
  const messages = await deployment.client.get([...sent.keys()].map((id) => ({ id })));
  const wrong = messages.filter(
    (message) => message?.state !== 'delivered' || kept.get(message.receipt ?? '') !== sent.get(message.id),
  );
  expect(wrong).toEqual([]);
  // Nothing but what was scheduled, and no receipt of two messages.
  expect([...kept.values()].toSorted()).toEqual([...sent.values()].toSorted());
}

const SPOUT: readonly FailPointName[] = ['cdc-seen', 'bucketed', 'loaded', 'emitted', 'acknowledged'];
/** Amid requests, where the first would be the only one. */
const later: { readonly [name in FailPointName]?: number } = { 'request-sent': 20, 'answer-received': 20 };

function start(name: FailPointName): Victim {
  const point: FailPoint = { name, action: 'kill', nth: later[name] ?? 1 };
  const victim = Victim.start(deployment, SPOUT.includes(name) ? 'due' : 'bluesky', point);
  victims.push(victim);
  return victim;
}

async function everyVictimIsAtWork(): Promise<boolean> {
  const atWork = await Promise.all(victims.map((victim) => victim.isAtWork()));
  return atWork.every(Boolean);
}

let crowds = 0;

/** Of every account, at one instant. @param sent gets what was scheduled */
async function scheduleCrowd(sent: Map<number, string>): Promise<number> {
  const dueAt = systemClock.now() + AHEAD;
  const crowd = ++crowds;
  const texts = Array.from({ length: ACCOUNTS * EACH }, (_, n) => `number ${n} of crowd ${crowd} #spring`);
  const ids = await schedule(
    texts.map((text) => ({ text })),
    dueAt,
  );
  for (const [n, id] of ids.entries()) sent.set(id, texts[n] as string);
  return dueAt;
}

const sent = new Map<number, string>();

describe("Bluesky's own server, through the whole stack", () => {
  it(
    'takes the posts of an account that was set up from the command line, and answers to them',
    async () => {
      const [account] = accounts as [string];
      const environment = variablesOf(deployment.world.environment);
      const set = await runCli(['accounts', 'set', account, '--channel', 'bluesky'], {
        environment,
        input: JSON.stringify(credentialsOf(account)),
      });
      expect(set).toMatchObject({ code: 0, stdout: 'The secret is set.\n' });
      const tried = await runCli(['accounts', 'test', account, '--channel', 'bluesky'], {
        environment: deployment.settings,
      });
      expect(tried).toMatchObject({ code: 0, stdout: expect.stringContaining(`@${account}.test`) });
      const one = async (payload: { text: string; replyTo?: string }) => {
        const [id] = (await schedule([payload])) as [number];
        sent.set(id, payload.text);
        await deployment.settled();
        const [message] = await deployment.client.get([{ id }]);
        expect(message).toMatchObject({ state: 'delivered', attempts: 1 });
        return message?.receipt ?? '';
      };
      const first = await one({ text: `Grüße @${accounts[1]}.test https://example.com` });
      await one({ text: 'an answer', replyTo: first });
      await expectEachOnce(sent);
      const kept = await pds.posts(users[0] as PdsUser);
      expect(kept.find(({ uri }) => uri === first)?.value.facets).toHaveLength(2);
      expect(kept.find(({ uri }) => uri !== first)?.value['reply']).toMatchObject({ parent: { uri: first } });
    },
    PATIENCE,
  );

  it.each<{ readonly points: readonly FailPointName[] }>([
    { points: ['cdc-seen', 'prefetched'] },
    { points: ['bucketed', 'answer-received'] },
    { points: ['loaded', 'claim-committed'] },
    { points: ['emitted', 'request-sent'] },
    { points: ['acknowledged', 'claim-committed-ahead'] },
    { points: ['offset-committed', 'written-back'] },
  ])(
    'has every message once, and nothing else, when workers are killed at $points',
    async ({ points }) => {
      const those = points.filter((name) => name !== 'loaded').map(start);
      await until('they are at work', everyVictimIsAtWork, LIMIT);
      // A crowd that was emitted before partitions were handed over may pass a victim by: the next does not.
      const areDead = () => those.every(({ end }) => end !== undefined);
      for (let crowd = 1; !areDead() || (points.includes('loaded') && crowd === 1); crowd += 1) {
        expect(
          crowd > CROWDS ? those.filter(({ end }) => end === undefined).map(({ point }) => point.name) : [],
        ).toEqual([]);
        const dueAt = await scheduleCrowd(sent);
        // What is there already is read at the start; what comes later is brought by events.
        if (points.includes('loaded') && crowd === 1) those.push(start('loaded'));
        const isOver = () => systemClock.now() > dueAt + SENT_WITHIN;
        await until('they are dead', () => areDead() || isOver(), AHEAD + SENT_WITHIN + LIMIT);
      }
      for (const { end, reached, point } of those) {
        expect([point.name, reached, end?.how]).toEqual([point.name, true, expect.stringContaining('by SIGKILL')]);
      }
      await deployment.settled(SETTLED);
      await expectEachOnce(sent);
    },
    PATIENCE,
  );

  it('was sent messages again whose answers nobody had', async () => {
    const [row] = await deployment.sql.rows<[number]>('SELECT COUNT(*) FROM scheduled_messages WHERE in_doubt = 1');
    expect(row?.[0]).toBeGreaterThan(0);
  });
});
