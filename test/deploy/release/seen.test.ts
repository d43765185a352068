import type { NewRelease } from '../../../connectors/mysql/operators/releases';
import { requireAsSeen, seeReleases } from '../../../deploy/release/seen';
import { MemoryDeployTables } from '../../support/mysql/memory-deploy-tables';

const by = (who: string, reason: string): NewRelease => ({
  specification: {},
  packageVersion: '1.0.0',
  image: null,
  program: null,
  target: 'local',
  environment: null,
  reason,
  who,
  host: 'h',
});

let tables: MemoryDeployTables;
beforeEach(() => {
  tables = new MemoryDeployTables();
});

test('what somebody else has deployed since it was looked at what runs is not undone, and is named', async () => {
  tables.add(by('ann', 'deploy'), 'live');
  const seen = await seeReleases(tables);
  tables.set(1, 'superseded');
  tables.add(by('bob', 'scale webhook=3'), 'live');
  await expect(requireAsSeen(tables, seen)).rejects.toThrow(
    'Release 2 (scale webhook=3) was deployed by bob on h since it was looked at what runs. Nothing was changed: look at `downspout history`',
  );
});

test('a release that somebody has begun or ended since is not known either', async () => {
  const nothing = await seeReleases(tables);
  tables.add(by('bob', 'deploy'), 'deploying');
  await expect(requireAsSeen(tables, nothing)).rejects.toThrow('Release 1 (deploy) was deployed by bob');
  const begun = await seeReleases(tables);
  tables.set(1, 'live');
  await expect(requireAsSeen(tables, begun)).rejects.toThrow('Releases have ended since it was looked at');
  tables.set(1, 'superseded');
  await expect(requireAsSeen(tables, begun)).rejects.toThrow('Nothing was changed');
});

test('what is as it was seen may be deployed on, an interrupted release too', async () => {
  await expect(requireAsSeen(tables, await seeReleases(tables))).resolves.toBeUndefined();
  tables.add(by('ann', 'deploy'), 'live');
  tables.add(by('ann', 'deploy'), 'deploying');
  await expect(requireAsSeen(tables, await seeReleases(tables))).resolves.toBeUndefined();
});
