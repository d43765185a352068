import { SecretKey } from '../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../connectors/mysql/secrets/secret-store';
import { type FakeAnswer, FakeProvider, type FakeRequest } from '../../deploy/fakes/fake-provider';
import { FakeInstagram } from '../../deploy/fakes/instagram';
import { systemClock } from '../../topology/core/clock';
import { Deployment } from '../support/stack/deployment';
import { Victim } from '../support/stack/victim';
import { until } from '../support/until';

const ACCOUNTS = 4;
const MESSAGES = 40;
/** From scheduling to the instant, milliseconds: longer than what comes before it takes, however busy the machine is. */
const AHEAD = 25_000;
const CROWDS = 20;
const DRAIN = 20_000;
const PATIENCE = 300_000;

const accounts = Array.from({ length: ACCOUNTS }, (_, n) => `account-${n}`);
const users = Object.fromEntries(accounts.map((account, n) => [`token-of-${account}`, `178414000000000${n}`]));

/** When each of the fake's containers was made, by its text. */
class TimedInstagram extends FakeInstagram {
  readonly madeAt = new Map<string, number[]>();

  override async handle(request: FakeRequest): Promise<FakeAnswer> {
    const answer = await super.handle(request);
    if (this.uploads(request) && answer.status === 200) {
      const caption = new URLSearchParams(String(request.body)).get('caption') ?? '';
      this.madeAt.set(caption, [...(this.madeAt.get(caption) ?? []), systemClock.now()]);
    }
    return answer;
  }
}

describe('posts on Instagram, through the whole stack', () => {
  let deployment: Deployment;
  let protocol: TimedInstagram;
  let fake: FakeProvider;
  const victims: Victim[] = [];

  beforeAll(async () => {
    protocol = new TimedInstagram({ clock: systemClock, tokens: users, limit: 10_000 });
    fake = await FakeProvider.start(protocol, systemClock);
    const settings = '{ timeout: 3s, limits: { perAccount: {}, perApp: {} } }';
    deployment = await Deployment.start(['due', 'instagram', 'instagram'], `{ instagram: ${settings} }`);
    const store = new SecretStore(deployment.sql, SecretKey.from(deployment.world.environment));
    for (const account of accounts) {
      const token = `token-of-${account}`;
      const credentials = JSON.stringify({ user: users[token], token, server: fake.url });
      await store.set(account, 'instagram', credentials, { replace: true });
    }
  }, PATIENCE);

  afterAll(async () => {
    await Promise.all(victims.map((victim) => victim.stop(DRAIN)));
    await deployment.close();
    await fake.close();
  }, 60_000);

  async function schedule(name: string): Promise<{ readonly dueAt: number; readonly texts: readonly string[] }> {
    const dueAt = systemClock.now() + AHEAD;
    const texts = Array.from({ length: MESSAGES }, (_, n) => `${name} ${n}`);
    const media = [{ url: 'https://images.example/cup.jpg', alt: 'a cup' }];
    await deployment.client.schedule(
      texts.map((text, n) => ({
        account: accounts[n % ACCOUNTS] as string,
        channel: 'instagram' as const,
        dueAt,
        payload: { text, media },
      })),
    );
    return { dueAt, texts };
  }

  const postsOf = (texts: readonly string[]) => protocol.posts().filter(({ text }) => texts.includes(text));

  it(
    'have their container before the instant, once, and at it nothing but the publication is asked for',
    async () => {
      const { dueAt, texts } = await schedule('one of two workers makes it');
      await until('all are made ready', () => texts.every((text) => protocol.madeAt.has(text)), AHEAD);
      await until('their instant is near', () => systemClock.now() > dueAt - 1_000, AHEAD);
      fake.calls.length = 0;
      await deployment.settled();
      const made = texts.map((text) => protocol.madeAt.get(text) ?? []);
      expect(made.every((times) => times.length === 1 && (times[0] as number) < dueAt)).toBe(true);
      const posts = postsOf(texts);
      expect(posts).toHaveLength(MESSAGES);
      expect(posts.every(({ at }) => at >= dueAt)).toBe(true);
      // The other questions are for the addresses of the posts.
      const before = fake.calls.filter(({ query }) => query.get('fields') !== 'permalink');
      expect(before.map(({ path }) => path.split('/').at(-1))).toEqual(Array(MESSAGES).fill('media_publish'));
    },
    PATIENCE,
  );

  it(
    'are published once where a worker dies that has just made them ready',
    async () => {
      const victim = Victim.start(deployment, 'instagram', { name: 'made-ready', action: 'kill', nth: 3 });
      victims.push(victim);
      await until('it is at work', () => victim.isAtWork(), PATIENCE);
      const all: string[] = [];
      // Whoever looks first makes most of a crowd ready; who looks next has the next one.
      for (let crowd = 1; victim.end === undefined; crowd++) {
        expect(crowd).toBeLessThanOrEqual(CROWDS);
        const { texts } = await schedule(`crowd ${crowd},`);
        all.push(...texts);
        const isReady = () => texts.every((text) => protocol.madeAt.has(text));
        await until('it is dead, or all are made ready', () => victim.end !== undefined || isReady(), AHEAD);
      }
      await deployment.settled();
      const posts = postsOf(all).map(({ text }) => text);
      expect(posts.toSorted()).toEqual(all.toSorted());
      expect(await deployment.states()).toEqual({ delivered: MESSAGES + all.length });
    },
    PATIENCE,
  );
});
