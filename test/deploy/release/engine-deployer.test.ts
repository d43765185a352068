import type { NewRelease } from '../../../connectors/mysql/operators/releases';
import { EngineDeployer, type EngineDeployerOptions } from '../../../deploy/release/engine-deployer';
import { type Engine, GoingBackFailed, NothingChanged } from '../../../deploy/targets/engine';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { MemoryDeployTables } from '../../support/mysql/memory-deploy-tables';

let tables: MemoryDeployTables;
let ran: string[];
beforeEach(() => {
  tables = new MemoryDeployTables();
  ran = [];
});

const works: Engine['deploy'] = async (number) => void ran.push(`deploy ${number}`);
const fails: Engine['deploy'] = () => Promise.reject(new UserError('exceeded its progress deadline'));
const isAway: Engine['deploy'] = () => Promise.reject(new NothingChanged('the token has expired'));
const hasNoRight = () => Promise.reject(new UserError('no right to make topics'));
const isRefused = () => ({ growths: async () => [], prepare: hasNoRight });

function deployer(
  deploy: Engine['deploy'],
  own: Partial<EngineDeployerOptions> = {},
  lost = new AbortController(),
): EngineDeployer {
  const check = async () => lost.signal.throwIfAborted();
  return new EngineDeployer({
    engine: {
      deploy,
      restart: async (component, { number }) => void ran.push(`restart ${component} of ${number}`),
    },
    tables,
    preparation: () => ({ growths: async () => [], prepare: async () => undefined }),
    lock: { describe: async () => undefined, lost: lost.signal, check },
    clock: { sleep: async () => undefined },
    signal: new AbortController().signal,
    report: () => undefined,
    ...own,
  });
}

const release = (image: string, target: NewRelease['target'] = 'kubernetes') => ({
  specification: { components: { webhook: {} } },
  packageVersion: '1',
  image,
  program: null,
  target,
  reason: 'deploy',
  who: 'ann',
  host: 'here',
});
const outcomes = () => tables.releases.map(({ image, outcome }) => `${image} ${outcome}`);

describe('EngineDeployer', () => {
  test('1. A release whose workers do not become ready has failed, and the one before it is still the one that runs. Where going back failed too, the release has no outcome yet', async () => {
    expect(await deployer(works).deploy(release('a'))).toMatchObject({ outcome: 'live', release: 1, running: 1 });
    const failed = await deployer(fails).deploy(release('b'));
    expect(failed).toMatchObject({ outcome: 'failed', running: 1, reason: 'exceeded its progress deadline' });
    expect(outcomes()).toEqual(['a live', 'b failed']);
    const mixed = await deployer(() => Promise.reject(new GoingBackFailed('forbidden'))).deploy(release('c'));
    expect(mixed).toMatchObject({ outcome: 'interrupted', release: 3, running: 1, reason: 'forbidden' });
    expect(outcomes()).toEqual(['a live', 'b failed', 'c deploying']);
    expect(await deployer(works).deploy(release('c'))).toMatchObject({ outcome: 'live', release: 3 });
  });

  test('the engine is told of the releases that were begun and are not done', async () => {
    tables.add(release('a'), 'live');
    tables.add(release('b'), 'deploying');
    const told: number[] = [];
    const deploys: Engine['deploy'] = async (_, __, ___, unfinished) =>
      void told.push(...unfinished.map(({ number }) => number));
    await deployer(deploys).deploy(release('c'));
    expect(told).toEqual([2]);
  });

  test('2. A deploy that was killed is continued by the next one, with the same release where it is the same', async () => {
    tables.add(release('a'), 'deploying');
    expect(await deployer(works).deploy(release('a'))).toMatchObject({ outcome: 'live', release: 1 });
    expect(await deployer(works).deploy(release('a'))).toMatchObject({ outcome: 'unchanged', release: 1 });
    expect(ran).toEqual(['deploy 1', 'deploy 1']);
    tables.add(release('b'), 'deploying');
    expect(await deployer(works).deploy(release('c'))).toMatchObject({ outcome: 'live', release: 3 });
    expect(outcomes()).toEqual(['a superseded', 'b failed', 'c live']);
  });

  test('an engine that cannot be asked says nothing about what an earlier deploy has begun there', async () => {
    expect(await deployer(isAway).deploy(release('a'))).toMatchObject({ outcome: 'failed' });
    tables.add(release('b'), 'deploying');
    expect(await deployer(isAway).deploy(release('b'))).toMatchObject({ outcome: 'interrupted', release: 2 });
    expect(await deployer(isAway).deploy(release('c'))).toMatchObject({ outcome: 'interrupted', release: 3 });
    expect(outcomes()).toEqual(['a failed', 'b failed', 'c deploying']);
  });

  test('3. A command that is ended, or has lost the right to deploy, changes nothing any more', async () => {
    await deployer(works).deploy(release('a'));
    for (const how of ['interrupted', 'lost']) {
      const [interrupt, lost] = [new AbortController(), new AbortController()];
      // What the engine says then may be a failed rollout: its program was ended.
      const ends: Engine['deploy'] = async (_, live, guard) => {
        expect(live).toMatchObject({ number: 1 });
        await guard.mayGoOn();
        (how === 'lost' ? lost : interrupt).abort(new Error(how));
        await expect(guard.mayGoOn()).rejects.toThrow(how);
        throw new UserError('kubectl was ended');
      };
      const lines: string[] = [];
      const report = (line: string) => void lines.push(line);
      const ended = deployer(ends, { signal: interrupt.signal, report }, lost).deploy(release('b'));
      await expect(ended).rejects.toThrow(how);
      expect(lines.at(-1)).toBe('release 2 has begun and is not done: `downspout deploy` goes on');
    }
    expect(outcomes()).toEqual(['a live', 'b deploying']);
  });

  test('4. A database that stumbles changes no outcome once the workers run', async () => {
    let left = 0;
    const stumbles = (operation: string) => {
      if (operation.startsWith('finish') && left-- > 0) throw new Unavailable('MySQL does not answer');
    };
    for (const [at, deploy, outcome] of [['before', works, 'live'] as const, ['after', fails, 'failed'] as const]) {
      tables[at] = stumbles;
      left = 3;
      expect(await deployer(deploy).deploy(release(at))).toMatchObject({ outcome });
    }
    expect(outcomes()).toEqual(['before live', 'after failed']);
  });

  test('more partitions of the changes restart the spouts that run in the pause, and the release is rolled after it', async () => {
    await deployer(works).deploy(release('a'));
    const growth = { component: 'due', stream: 'schedule-changes', from: 8, to: 16 };
    const preparation: EngineDeployerOptions['preparation'] = (restartTogether) => ({
      growths: async () => [growth],
      prepare: () => restartTogether('due'),
    });
    await deployer(works, { preparation }).deploy(release('b'));
    expect(ran).toEqual(['deploy 1', 'restart due of 1', 'deploy 2']);
  });

  test('a release of another target is refused while one runs, or may run', async () => {
    await deployer(works).deploy(release('a'));
    await expect(deployer(works).deploy(release('a', 'compose'))).rejects.toThrow(/runs on the target kubernetes/);
    tables.set(1, 'superseded');
    tables.add(release('b'), 'deploying');
    await expect(deployer(works).deploy(release('b', 'compose'))).rejects.toThrow(/Release 2 runs on the target/);
    expect(ran).toEqual(['deploy 1']);
  });

  test('a release that was begun has not failed because it cannot be made ready again', async () => {
    tables.add(release('a'), 'deploying');
    await expect(deployer(works, { preparation: isRefused }).deploy(release('a'))).rejects.toThrow(
      'no right to make topics',
    );
    expect(outcomes()).toEqual(['a deploying']);
  });

  test('a release for which not everything could be made ready has failed, and no worker was touched', async () => {
    await expect(deployer(works, { preparation: isRefused }).deploy(release('a'))).rejects.toThrow(
      'no right to make topics',
    );
    expect(outcomes()).toEqual(['a failed']);
    expect(ran).toEqual([]);
  });
});
