import type { Pool } from '../../../connectors/mysql/sql/pool';
import { elsewhere, requireHere } from '../../../deploy/cli/elsewhere';
import { placementsOf } from '../../../deploy/cli/verbs/restart';

const specification = { components: { due: {}, webhook: {} } };
const on = (target: 'local' | 'kubernetes' | 'compose') => ({ number: 7, target, specification });

test.each([
  ['restart', 'webhook', 'kubernetes', 'kubectl rollout restart deployment/downspout-webhook`'],
  [
    'restart',
    undefined,
    'kubernetes',
    'kubectl rollout restart deployment --selector app.kubernetes.io/name=downspout',
  ],
  ['restart', undefined, 'compose', 'docker compose restart worker-due worker-webhook`'],
  ['rebalance', undefined, 'kubernetes', 'The cluster itself spreads'],
  ['rebalance', undefined, 'compose', 'on one machine'],
  ['logs', 'due', 'kubernetes', 'kubectl logs --selector '],
  ['logs', 'due', 'kubernetes', 'app.kubernetes.io/component=due --prefix`'],
  ['logs', 'webhook', 'compose', 'docker compose logs worker-webhook`'],
] as const)('%s of %s on %s is said with what does it there', (verb, component, target, words) => {
  const said = elsewhere(on(target), verb, component);
  expect(said).toMatch(/^Release 7 runs on (kubernetes|compose)\. /);
  expect(said).toContain(words);
});

test('of the target local nothing is said', () => {
  expect(elsewhere(on('local'), 'restart')).toBeNull();
});

/** A database in which a release of this target is live, and no worker is placed. */
function withRelease(target: string): Pool {
  const row = [7, JSON.stringify(specification), '1', null, null, target, 'deploy', 'a', 'h', 1, 'live', 2, null];
  return { rows: async (sql: string) => (sql.includes('FROM releases') ? [row] : []) } as unknown as Pool;
}

test('verbs about workers of the target local do not say that nothing was deployed where another engine runs them', async () => {
  await expect(requireHere(withRelease('compose'), 'rebalance')).rejects.toThrow('Release 7 runs on compose.');
  await expect(placementsOf(withRelease('kubernetes'), 'webhook')).rejects.toThrow('Release 7 runs on kubernetes.');
  await expect(placementsOf(withRelease('local'), 'webhook')).rejects.toThrow('No worker was deployed.');
});
