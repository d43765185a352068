import { existsSync, readFileSync } from 'node:fs';
import { classOf, keyLifetimeOf } from '../../connectors/channels/channel-kinds';
import type { NewMessage } from '../../connectors/mysql/client/client';
import type { FailPointName } from '../../deploy/worker/fail-points';
import { systemClock } from '../../topology/core/clock';
import { MediaHost } from '../support/channels/media-host';
import { connectAll, Deaths, SETTINGS } from '../support/played/deaths';
import { accounts, type Played, playAll } from '../support/played/played-providers';
import { variablesOf } from '../support/stack/cli';
import { runHere } from '../support/stack/cli-here';
import { Deployment } from '../support/stack/deployment';
import { keepOutput, plantedIn, plantedSecret } from '../support/stack/planted-secrets';
import { testStackFolder } from '../support/stack/shared-stack';
import { until } from '../support/until';

/** Of one test: each verb of the command takes seconds where the processors are busy. Milliseconds. */
const PATIENCE = 300_000;
/** Where a request is on the way, or may be taken for one; `npm run test:faults -- --only channel` has all places. */
const PLACES: readonly FailPointName[] = ['claim-committed', 'ids-kept', 'request-sent', 'answer-received'];

/** Of those of them that are in doubt, and will be tried again. */
const inDoubt = (ids: readonly number[]) => `in_doubt=1 AND state='scheduled' AND id IN (${ids.join(',')})`;

const isBlind = ({ channel }: Played) => classOf(channel) === 'blind';

const hasLastingKey = ({ channel }: Played) =>
  classOf(channel) === 'idempotent' && keyLifetimeOf(channel) === undefined;

/** How often the provider took each of these texts. */
const timesOf = ({ taken }: Played, texts: readonly string[]) =>
  texts.map((text) => taken().filter((one) => one === text).length);

/** All channels at once, because their rows wait for a long time until a request can be accepted no more. */
describe('every channel, through the whole stack', () => {
  let deployment: Deployment;
  let all: readonly Played[];
  let host: MediaHost;
  let deaths: Deaths;

  beforeAll(async () => {
    host = await MediaHost.start();
    all = await playAll();
    const names = [...all.map(({ channel }) => channel), 'webhook'];
    const components = names.map((name) => `${name}: ${SETTINGS}`).join(', ');
    deployment = await Deployment.start(['due', names.join(',')], `{ ${components} }`);
    await connectAll(deployment, all, accounts.slice(1));
    deaths = new Deaths(deployment, all, host);
  }, PATIENCE);

  afterAll(async () => {
    await deployment.close();
    await Promise.all([host.close(), ...all.map(({ fake }) => fake.close())]);
  }, 60_000);

  afterEach(async () => {
    await deaths.stop();
  }, 60_000);

  /** What comes of something for each channel, by its name. */
  async function each<T>(of: (played: Played) => Promise<T>): Promise<Record<string, T>> {
    return Object.fromEntries(
      await Promise.all(all.map(async (played) => [played.channel, await of(played)] as const)),
    );
  }

  const cli = async (args: readonly string[], input?: string, settings?: Readonly<Record<string, string>>) => {
    const environment = settings ?? variablesOf(deployment.world.environment);
    const result = await runHere(args, environment, { input });
    keepOutput(testStackFolder, args.join(' '), result.stdout + result.stderr);
    return result;
  };

  async function schedule({ channel, messageOf }: Played, texts: readonly string[]): Promise<number[]> {
    const dueAt = systemClock.now();
    const messages = texts.map((text, n) => {
      const account = accounts[n] as string;
      return { account, channel, dueAt, payload: messageOf(text, account) };
    });
    const answers = await deployment.client.schedule(messages);
    return answers.map(({ id }) => id);
  }

  const messagesOf = (ids: readonly number[]) => deployment.client.get(ids.map((id) => ({ id })));

  /** With an image, where the channel takes some. */
  function scheduleWithImage(played: Played, text: string): Promise<number[]> {
    if (played.images === undefined) return Promise.resolve([]);
    const media = [{ url: host.url(), ...(played.channel === 'email' ? { name: 'cup.png' } : { alt: 'a cup' }) }];
    const messageOf = (one: string, account: string) =>
      ({ ...played.messageOf(one, account), media }) as NewMessage['payload'];
    return schedule({ ...played, messageOf }, [text]);
  }

  it(
    'an account is set up from the command line, and its messages reach the provider, with an image too',
    async () => {
      const [account] = accounts as [string];
      const text = 'through the whole stack';
      const pictured = 'with an image';
      const ids = await each(async (played) => {
        const { channel, credentialsOf } = played;
        const set = await cli(
          ['accounts', 'set', account, '--channel', channel],
          JSON.stringify(credentialsOf(account)),
        );
        expect(set).toMatchObject({ code: 0, stdout: 'The secret is set.\n' });
        const tried = await cli(['accounts', 'test', account, '--channel', channel], '', deployment.settings);
        expect(tried).toMatchObject({ code: 0, stdout: expect.stringContaining('The credentials are those of ') });
        const { stdout } = await cli(['accounts', 'show', account, '--channel', channel, '--json']);
        expect(stdout).toContain(account);
        expect(stdout).not.toContain(plantedSecret(channel, account));
        return [...(await schedule(played, [text])), ...(await scheduleWithImage(played, pictured))];
      });
      const { stdout } = await cli(['accounts', 'list', '--json']);
      expect(stdout).toContain(account);
      for (const { channel } of all) expect(stdout).not.toContain(plantedSecret(channel, account));
      await deployment.settled();
      const ended = await each(async (played) => ({
        messages: await messagesOf(ids[played.channel] as number[]),
        times: timesOf(played, [text, pictured]),
        images: played.images?.().toSorted(),
      }));
      const delivered = expect.objectContaining({
        state: 'delivered',
        receipt: expect.stringMatching(/./),
        attempts: 1,
      });
      const right = ({ images }: Played) =>
        images === undefined
          ? { messages: [delivered], times: [1, 0], images }
          : { messages: [delivered, delivered], times: [1, 1], images: [0, 1] };
      expect(ended).toEqual(await each(async (played) => right(played)));
    },
    PATIENCE,
  );

  it(
    'no secret of an account comes out, also where a provider quotes what it was sent',
    async () => {
      const [account] = accounts as [string];
      const signing = `whsec_${Buffer.from(plantedSecret('webhook', account)).toString('base64')}`;
      expect(await cli(['accounts', 'set', account, '--channel', 'webhook'], signing)).toMatchObject({ code: 0 });
      const text = 'quoted back';
      const ids = await each(async (played) => {
        played.fake.order({ do: 'quote', match: `"${text}"` });
        return schedule(played, [text]);
      });
      const payload = { url: `${deployment.receiver.url}/?status=400`, body: { n: 1 } };
      await deployment.client.schedule([{ account, channel: 'webhook', dueAt: systemClock.now(), payload }]);
      await until('a webhook is signed', () =>
        deployment.receiver.journal.some(({ headers }) => headers['webhook-signature'] !== undefined),
      );
      await each(async ({ channel }) => {
        const [id] = ids[channel] as [number];
        // Where such an answer is not the provider's own, the message is tried again, and taken then.
        await until(`${channel} has answered`, async () => {
          const [message] = await messagesOf([id]);
          return message?.state === 'failed' || message?.state === 'delivered';
        });
        expect(await cli(['messages', 'show', String(id), '--json', '--verbose'])).toMatchObject({ code: 0 });
      });
      for (const verb of [['status'], ['accounts', 'list'], ['messages', 'list', '--limit', '1000'], ['lag']]) {
        await cli([...verb, '--json']);
      }
      const urls = await deployment.sql.rows<[string]>('SELECT status_url FROM workers WHERE dead = 0');
      for (const [url] of urls) keepOutput(testStackFolder, url, await (await fetch(new URL('/metrics', url))).text());
      for (const { pid } of deployment.processes) {
        const file = `/proc/${pid}/cmdline`;
        if (existsSync(file)) keepOutput(testStackFolder, file, readFileSync(file, 'utf8'));
      }
      expect(plantedIn(testStackFolder)).toEqual([]);
    },
    PATIENCE,
  );

  async function scheduleInDoubt(played: Played, texts: readonly [string, string]): Promise<number[]> {
    played.fake.order({ do: 'drop', match: `"${texts[0]}"` });
    played.fake.order({ do: 'vanish', match: `"${texts[1]}"` });
    return schedule(played, texts);
  }

  it(
    'a message in doubt is uncertain, or looked up once its key has ended and sent anew when it is not there',
    async () => {
      const texts = ['taken, and the connection cut', 'not taken, and the connection cut'] as const;
      const ids = await each((played) => scheduleInDoubt(played, texts));
      await each(async (played) => {
        // Nobody waits for the end of a key that does not end: the message is sent again under it.
        if (isBlind(played) || hasLastingKey(played)) return;
        const those = inDoubt(ids[played.channel] as number[]);
        await until(`both of ${played.channel} are in doubt`, async () => {
          const rows = await deployment.sql.rows(`SELECT id FROM scheduled_messages WHERE ${those}`);
          return rows.length === texts.length;
        });
        // As if they had been in doubt for two hours. They would wait before the same key is sent again.
        await deployment.sql.run(
          `UPDATE scheduled_messages SET doubt_since=doubt_since-7200000, retry_at=NULL, version=version+1 WHERE ${those}`,
        );
      });
      await deployment.settled();
      const ended = await each(async (played) => ({
        states: (await messagesOf(ids[played.channel] as number[])).map((message) => message?.state),
        times: timesOf(played, texts),
      }));
      expect(ended).toEqual(
        await each(async (played) =>
          isBlind(played)
            ? { states: ['uncertain', 'uncertain'], times: [1, 0] }
            : { states: ['delivered', 'delivered'], times: [1, 1] },
        ),
      );
    },
    PATIENCE,
  );

  it('every message is taken once, or is uncertain where nobody can know, wherever a worker is killed', async () => {
    for (const place of PLACES) await deaths.at(place);
    expect(await deaths.wrong()).toEqual([]);
    const doubted = await deployment.sql.rows<[string]>(
      'SELECT DISTINCT channel FROM scheduled_messages WHERE in_doubt=1 ORDER BY channel',
    );
    expect(doubted.flat()).toEqual(all.map(({ channel }) => channel).toSorted());
  }, 900_000);
});
