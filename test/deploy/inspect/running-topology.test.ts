import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from '../../../connectors/mysql/sql/pool';
import { readRunningTopology, requiredBolt, runningTopology } from '../../../deploy/inspect/running-topology';
import { systemClock } from '../../../topology/core/clock';
import { readEnvironment } from '../../../topology/settings/environment';
import { nowhere } from '../../support/stack/cli';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-running-'));
  writeFileSync(join(folder, 'topology.yaml'), 'components: { webhook: {} }');
  writeFileSync(join(folder, 'topology.production.yaml'), 'components: { x: { timeout: 7s } }');
});
afterEach(() => rmSync(folder, { recursive: true }));

const environment = (more: NodeJS.ProcessEnv = {}) =>
  readEnvironment({}, { ...nowhere, DOWNSPOUT_TOPOLOGY: join(folder, 'topology.yaml'), ...more });

/** A database in which this release is live, or none. */
function withRelease(specification: unknown): Pool {
  const row = [7, JSON.stringify(specification), '1', null, null, 'local', 'deploy', 'a', 'h', 1, 'live', 2, null];
  return { rows: async () => (specification === null ? [] : [row]) } as unknown as Pool;
}

test('the release that is live counts, whatever the file of this machine says', async () => {
  const pool = withRelease({ components: { webhook: {}, mastodon: { timeout: '9s' } } });
  const running = await runningTopology(pool, environment());
  expect(running).toMatchObject({ source: 'release 7', doubt: null });
  expect(requiredBolt(running, 'mastodon').timeoutMs).toBe(9_000);
});

test('where none is, the file of the environment counts', async () => {
  const running = await runningTopology(withRelease(null), environment({ DOWNSPOUT_ENVIRONMENT: 'production' }));
  expect(running).toMatchObject({ source: 'topology.yaml with topology.production.yaml', doubt: null });
  expect(requiredBolt(running, 'x').timeoutMs).toBe(7_000);
});

test('where the database does not answer, the file counts too, and the doubt is said', async () => {
  const running = await readRunningTopology(environment(), systemClock);
  expect(running).toMatchObject({ source: 'topology.yaml', doubt: expect.stringMatching(/MySQL does not answer/) });
  expect(Object.keys(running.settings.bolts)).toEqual(['webhook']);
});

test('a bolt that there is not is named with what may have been meant, and with those that there are', async () => {
  const running = await runningTopology(withRelease({ components: { webhook: {}, x: {} } }), environment());
  expect(() => requiredBolt(running, 'webhok')).toThrow(
    'There is no bolt "webhok" in release 7. Did you mean webhook? It has: webhook, x.',
  );
  expect(() => requiredBolt(running, 'constructor')).toThrow('There is no bolt "constructor" in release 7. It has:');
});
