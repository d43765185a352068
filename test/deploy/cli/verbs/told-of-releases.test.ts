import { PassThrough } from 'node:stream';
import type { Change } from '../../../../deploy/cli/audited';
import { changesBetween, type Side } from '../../../../deploy/cli/verbs/diff';
import { tellRestarted } from '../../../../deploy/cli/verbs/restart';
import { Output } from '../../../../deploy/console/output';
import type { RolloutResult } from '../../../../deploy/release/rollout';
import { testSettings } from '../../../support/stack/stack';
import { placement } from '../../release/placements';

const sideOf = (version: string, image: string | null): Side => ({
  name: 'x',
  settings: testSettings('{ webhook: {} }'),
  version,
  image,
});

const versionOf = (from: string, to: string) => [{ component: null, field: 'version', from, to }];

test('an image is compared with an image only: the topology file names none', () => {
  const release = sideOf('1.0.0', 'downspout:one');
  expect(changesBetween(release, sideOf('1.0.0', null))).toEqual([]);
  expect(changesBetween(release, sideOf('2.0.0', null))).toEqual(versionOf('1.0.0', '2.0.0'));
  expect(changesBetween(release, sideOf('1.0.0', 'downspout:two'))).toEqual(
    versionOf('downspout:one', 'downspout:two'),
  );
});

test.each<[RolloutResult, unknown]>([
  [{ result: 'done' }, { restarted: 2 }],
  [{ result: 'interrupted', done: 1, of: 2 }, { restarted: 1 }],
  [{ result: 'failed', reason: 'webhook-1 is not ready' }, undefined],
])('the audit names the workers of a restart, and how many were: %j', (result, after) => {
  const change: Change = { verb: 'restart', subject: 'all' };
  const context = {
    output: new Output({}, new PassThrough(), new PassThrough()),
    dryRun: false,
  } as unknown as Parameters<typeof tellRestarted>[0];
  const workers = [placement('webhook', 1), placement('webhook', 2)];
  tellRestarted(context, { change, signal: new AbortController().signal }, workers, result, 'done');
  process.exitCode = undefined;
  expect(change).toMatchObject({ before: { workers: ['webhook-1', 'webhook-2'] } });
  expect(change.after).toEqual(after);
});
