import { readLive } from '../../../deploy/release/read-live';
import { systemClock } from '../../../topology/core/clock';
import { readEnvironment } from '../../../topology/settings/environment';
import { testSettings } from '../../support/stack/stack';

jest.mock('../../../connectors/mysql/operators/releases', () => ({
  ...jest.requireActual<object>('../../../connectors/mysql/operators/releases'),
  currentRelease: async () => ({
    number: 5,
    target: 'local',
    specification: { components: { due: {}, webhook: { attempts: 5 } } },
  }),
  unfinishedReleases: async () => [],
  listReleases: async () => [{ number: 5 }],
}));
jest.mock('../../../connectors/mysql/operators/placements', () => ({ listPlacements: async () => [] }));
jest.mock('../../../connectors/mysql/operators/emitting-spouts', () => ({
  // One that has just started may still say by which pauses it goes.
  workersBeforePauses: async (_: unknown, forMs = 0) => [
    ...(forMs < 20_000 ? [{ host: 'new', pid: 1, version: '1.0.0' }] : []),
    { host: 'old', pid: 2, version: '0.9.0' },
  ],
}));
jest.mock('../../../connectors/mysql/operators/status', () => ({
  Status: class {
    async waiting() {
      return [];
    }
  },
}));

jest.mock('../../../deploy/inspect/kafka', () => ({
  ...jest.requireActual<object>('../../../deploy/inspect/kafka'),
  withKafka: async () => {
    throw new Error('it does not answer');
  },
}));

/** Nothing answers there. */
const nowhere = { DATABASE_URL: 'mysql://a:b@127.0.0.1:1/d', KAFKA_BROKERS: '127.0.0.1:1' };
const live = (more: Record<string, string> = {}) =>
  readLive(readEnvironment({ ...nowhere, ...more }, {}), testSettings('{ webhook: {} }'), systemClock);

test('a live release that this version cannot read is seen nevertheless', async () => {
  expect(await live()).toMatchObject({ release: { number: 5, settings: null, target: 'local' }, wasDeployed: true });
});

test('a worker that would reorder messages while partitions are added is named, and none that has just started', async () => {
  expect((await live()).reorders).toEqual({ host: 'old', pid: 2, version: '0.9.0' });
});

test('without CONNECT_URL somebody else keeps the connector: that is noted, and nothing is unknown for it', async () => {
  const without = await live();
  expect(without.connector).toBeUndefined();
  expect(without.notes).toContain('CONNECT_URL is not set, so the connector was not looked at.');
  expect(without.unknown.filter((line) => line.startsWith('Kafka Connect'))).toEqual([]);
  const away = await live({ CONNECT_URL: 'http://127.0.0.1:1' });
  expect(away.unknown).toContainEqual(expect.stringMatching(/^Kafka Connect: /));
});
