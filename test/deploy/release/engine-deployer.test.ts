import { type Engine, EngineDeployer } from '../../../deploy/release/engine-deployer';
import { UserError } from '../../../topology/core/errors';
import { MemoryDeployTables } from '../../support/mysql/memory-deploy-tables';

let tables: MemoryDeployTables;
let ran: number[];
beforeEach(() => {
  tables = new MemoryDeployTables();
  ran = [];
});

const works: Engine = async (release) => void ran.push(release);
const fails: Engine = () => Promise.reject(new UserError('exceeded its progress deadline'));
const hasNoRight = () => Promise.reject(new UserError('no right to make topics'));

function deployer(engine: Engine, prepare: () => Promise<void> = async () => undefined): EngineDeployer {
  return new EngineDeployer({
    engine,
    tables,
    preparation: () => ({ growths: async () => [], prepare }),
    lock: { describe: async () => undefined, lost: new AbortController().signal },
    signal: new AbortController().signal,
    report: () => undefined,
  });
}

const release = (image: string) => ({
  specification: { components: { webhook: {} } },
  packageVersion: '1',
  image,
  program: null,
  target: 'kubernetes' as const,
  reason: 'deploy',
  who: 'ann',
  host: 'here',
});
const outcomes = () => tables.releases.map(({ image, outcome }) => `${image} ${outcome}`);

describe('EngineDeployer', () => {
  test('1. A release whose workers do not become ready has failed, and the one before it is still the one that runs', async () => {
    expect(await deployer(works).deploy(release('a'))).toMatchObject({ outcome: 'live', release: 1, running: 1 });
    const failed = await deployer(fails).deploy(release('b'));
    expect(failed).toMatchObject({ outcome: 'failed', running: 1, reason: 'exceeded its progress deadline' });
    expect(outcomes()).toEqual(['a live', 'b failed']);
  });

  test('2. A deploy that was killed is continued by the next one, with the same release where it is the same', async () => {
    tables.add(release('a'), 'deploying');
    expect(await deployer(works).deploy(release('a'))).toMatchObject({ outcome: 'live', release: 1 });
    expect(await deployer(works).deploy(release('a'))).toMatchObject({ outcome: 'unchanged', release: 1 });
    expect(ran).toEqual([1, 1]);
    tables.add(release('b'), 'deploying');
    expect(await deployer(works).deploy(release('c'))).toMatchObject({ outcome: 'live', release: 3 });
    expect(outcomes()).toEqual(['a superseded', 'b failed', 'c live']);
  });

  test('a release for which not everything could be made ready has failed, and no worker was touched', async () => {
    await expect(deployer(works, hasNoRight).deploy(release('a'))).rejects.toThrow('no right to make topics');
    expect(outcomes()).toEqual(['a failed']);
    expect(ran).toEqual([]);
  });
});
