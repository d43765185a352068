import { KafkaAdmin } from '../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../connectors/kafka/kafka-client';
import { KafkaStreams } from '../../connectors/kafka/kafka-streams';
import type { NewMessage } from '../../connectors/mysql/client/client';
import { systemClock } from '../../topology/core/clock';
import { Deployment } from '../support/stack/deployment';
import { until } from '../support/until';

const SPOUT = 0;

/** The receiver is in the process of the test: on a machine that does other things beside, it may not answer for seconds. */
const PATIENT = '{ webhook: { timeout: 30s } }';

let deployment: Deployment;

const text = (value: string) => `X'${Buffer.from(value).toString('hex')}'`;

beforeAll(async () => {
  deployment = await Deployment.start(['due', 'due', 'webhook', 'webhook'], PATIENT);
}, 60_000);

afterAll(async () => {
  await deployment.close();
}, 60_000);

beforeEach(async () => {
  await deployment.clear();
});

/** Schedules `count` messages due at one instant, `ahead` ms from now; `query` scripts the receiver. @returns their ids */
async function burst(count: number, ahead: number, query = ''): Promise<number[]> {
  const dueAt = systemClock.now() + ahead;
  const messages = Array.from(
    { length: count },
    (_, n): NewMessage => ({
      account: `account-${n % 997}`,
      channel: 'webhook',
      dueAt,
      payload: {
        url: `${deployment.receiver.url}/n/${n}${query}`,
        headers: { 'x-due-at': String(dueAt) },
        body: { n },
      },
    }),
  );
  const answers = await deployment.client.schedule(messages);
  return answers.map((answer) => answer.id);
}

function requestsByKey(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { key } of deployment.receiver.journal) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

function early(): number {
  return deployment.receiver.journal.filter(({ headers, at }) => at < Number(headers['x-due-at'])).length;
}

describe('two spout and two bolt workers', () => {
  it('send 10,000 messages with as many requests, none early', async () => {
    await burst(10_000, 6_000);
    await deployment.settled();
    expect(await deployment.states()).toEqual({ delivered: 10_000 });
    expect(deployment.receiver.journal).toHaveLength(10_000);
    expect(requestsByKey().size).toBe(10_000);
    expect(early()).toBe(0);
  }, 120_000);

  it('send 10,000 messages with one of each killed; only rows in doubt are sent again', async () => {
    // Slow enough for the bolt to be killed amid requests.
    await burst(10_000, 6_000, '?delay=300');
    deployment.kill(SPOUT);
    await deployment.receiver.until(() => deployment.receiver.journal.length >= 1_000);
    await deployment.killSender();
    await deployment.settled(90_000);
    expect(await deployment.states()).toEqual({ delivered: 10_000 });
    const requests = requestsByKey();
    expect(requests.size).toBe(10_000);
    expect(early()).toBe(0);
    const repeated = [...requests.values()].filter((count) => count > 1).length;
    const [doubts] = await deployment.sql.rows<[number]>('SELECT COUNT(*) FROM scheduled_messages WHERE in_doubt = 1');
    expect(repeated).toBeLessThanOrEqual(doubts?.[0] ?? 0);
    // The bolt died while it was sending, so there was doubt to resolve.
    expect(doubts?.[0]).toBeGreaterThan(0);
    await until('the killed workers are back', () => deployment.processes.every(({ pid }) => pid !== null));
  }, 180_000);
});

/** Writes a row as an application may with plain SQL, without any check. */
async function insert(row: { account?: string; channel?: string; payload: unknown; dueAt: number }): Promise<number> {
  const { account = 'a', channel = 'webhook', payload, dueAt } = row;
  const { insertId } = await deployment.sql.run(
    'INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ' +
      `(CONVERT(${text(account)} USING utf8mb4), ${text(channel)}, CONVERT(${text(JSON.stringify(payload))} USING utf8mb4), ${dueAt})`,
  );
  return insertId;
}

describe('bad input', () => {
  it('ends as a row with a reason, and its neighbours are delivered on time', async () => {
    const now = systemClock.now();
    const dueAt = now + 3_000;
    const { url } = deployment.receiver;
    const good = { url: `${url}/good`, body: 1 };
    const rejected = {
      noUrl: await insert({ payload: { body: 1 }, dueAt }),
      notAnObject: await insert({ payload: 'text', dueAt }),
      wrongScheme: await insert({ payload: { url: 'ftp://example.com', body: 1 }, dueAt }),
      badHeader: await insert({ payload: { url, headers: { 'a b': 'c' }, body: 1 }, dueAt }),
    };
    const retried = {
      noSuchHost: await insert({ payload: { url: 'http://no-such-host.invalid/', body: 1 }, dueAt }),
      refused: await insert({ payload: { url: 'http://127.0.0.1:1/', body: 1 }, dueAt }),
    };
    const delivered = [
      await insert({ payload: { url: `${url}/large`, body: 'x'.repeat(1024 * 1024) }, dueAt }),
      await insert({ payload: { url: `${url}/emoji`, body: { text: '🚀 né' } }, dueAt }),
      await insert({ payload: { url: `${url}/2000`, body: 1 }, dueAt: Date.UTC(2000, 0, 1) }),
      await insert({ account: '😀"\'\\ %ß'.repeat(6).slice(0, 60), payload: good, dueAt }),
    ];
    const waiting = [
      await insert({ payload: good, dueAt: Date.UTC(2100, 0, 1) }),
      await insert({ channel: 'carrier-pigeon', payload: good, dueAt }),
    ];
    const silent = await insert({ payload: { url: `${url}/silent?hang=yes`, body: 1 }, dueAt });
    const neighbours = await burst(500, dueAt - systemClock.now());

    await until('the neighbours are delivered', async () => {
      const { length } = (await deployment.client.get(neighbours.map((id) => ({ id })))).filter(
        (message) => message?.state === 'delivered',
      );
      return length === neighbours.length;
    });
    const lateness = deployment.receiver.journal
      .filter(({ path }) => path.startsWith('/n/'))
      .map(({ at, headers }) => at - Number(headers['x-due-at']));
    expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0);

    const get = async (id: number) => {
      const message = await deployment.client.get({ id });
      if (message === null) throw new Error(`row ${id} is gone`);
      return message;
    };
    for (const id of delivered) {
      await until(`${id} is delivered`, async () => (await get(id)).state === 'delivered');
    }
    for (const id of Object.values(rejected)) {
      await until(`${id} has failed`, async () => (await get(id)).state === 'failed');
      expect((await get(id)).lastError).toMatch(/payload/);
    }
    for (const id of Object.values(retried)) {
      await until(`${id} was tried`, async () => (await get(id)).lastError !== null);
      expect((await get(id)).lastError).toMatch(
        /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|refused|not found|resolve|has no address/i,
      );
    }
    for (const id of waiting) expect((await get(id)).state).toBe('scheduled');
    await until('the silent host was given up', async () => (await get(silent)).lastError !== null);
    expect(await get(silent)).toMatchObject({ inDoubt: true });
  }, 120_000);

  it('skips garbage in every topic, and its neighbours are delivered', async () => {
    const { KAFKA_BROKERS: brokers = [], DOWNSPOUT_NAMESPACE: namespace } = deployment.world.environment;
    const kafka = { brokers, clientId: 'garbage', log: () => undefined };
    const admin = new KafkaAdmin(kafkaClient(kafka));
    const streams = new KafkaStreams(kafka, admin, systemClock, namespace);
    const garbage = ['garbage', '{}', 'null', '{"id":"x"}', '', '{"id":1e99,"account":[],"wake_at":{}}'];
    for (const topic of ['schedule-changes', 'due.webhook']) {
      for (let partition = 0; partition < 8; partition++) {
        await streams.append(
          topic,
          garbage.map((bytes) => ({ partition, value: Buffer.from(bytes) })),
        );
      }
    }
    await streams.close();
    await admin.close();
    await burst(500, 3_000);
    await deployment.settled();
    expect(await deployment.states()).toEqual({ delivered: 500 });
    expect(deployment.receiver.journal).toHaveLength(500);
    expect(deployment.processes.map(({ pid }) => pid)).not.toContain(null);
  }, 120_000);
});
