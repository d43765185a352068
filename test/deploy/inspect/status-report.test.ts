import { readStatus } from '../../../deploy/inspect/status-report';
import { systemClock } from '../../../topology/core/clock';
import { readEnvironment } from '../../../topology/settings/environment';

jest.mock('../../../deploy/inspect/kafka', () => ({
  ...jest.requireActual<object>('../../../deploy/inspect/kafka'),
  withKafka: async () => {
    throw new Error('it does not answer');
  },
}));

/** Nothing answers there. */
const nowhere = { DATABASE_URL: 'mysql://a:b@127.0.0.1:1/d', KAFKA_BROKERS: '127.0.0.1:1' };

async function connect(more: Record<string, string>) {
  const { parts } = await readStatus(readEnvironment({ ...nowhere, ...more }, {}), systemClock);
  return parts.find(({ part }) => part === 'Kafka Connect');
}

test('without CONNECT_URL somebody else keeps the connector, and delivery does not suffer for it', async () => {
  expect(await connect({})).toMatchObject({
    needed: false,
    ok: true,
    detail: expect.stringMatching(/^not asked: CONNECT_URL/),
  });
  expect(await connect({ CONNECT_URL: 'http://127.0.0.1:1' })).toMatchObject({ needed: true, ok: false });
});
