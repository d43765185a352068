import type { NewRelease } from '../../../connectors/mysql/operators/releases';
import { EngineDeployer, type EngineDeployerOptions } from '../../../deploy/release/engine-deployer';
import { type Engine, GoingBackFailed, Halted, NothingChanged } from '../../../deploy/targets/engine';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { MemoryDeployTables } from '../../support/mysql/memory-deploy-tables';

let tables: MemoryDeployTables;
let ran: string[];
let outdated: readonly string[];
beforeEach(() => {
  outdated = [];
  tables = new MemoryDeployTables();
  ran = [];
});

const works: Engine['deploy'] = async ({ release: { number } }) => void ran.push(`deploy ${number}`);
const fails: Engine['deploy'] = () => Promise.reject(new UserError('exceeded its progress deadline'));
const replaces: Engine['deploy'] = async ({ watch }) => {
  await watch.during(async () => undefined);
  await watch.replaced(['webhook']);
  await watch.end();
};
const nobodyIsJudged = () => Promise.reject(new Error('nobody is judged'));
const isHalted: Engine['deploy'] = () => Promise.reject(new Halted('30 % of the attempts fail'));
const isAway: Engine['deploy'] = () => Promise.reject(new NothingChanged('the token has expired'));
const hasNoRight = () => Promise.reject(new UserError('no right to make topics'));
const isRefused = () => ({ growths: async () => [], prepare: hasNoRight });

function deployer(
  deploy: Engine['deploy'],
  own: Partial<EngineDeployerOptions> = {},
  lost = new AbortController(),
  pauseMs = 0,
) {
  const check = async () => lost.signal.throwIfAborted();
  const engineDeployer = new EngineDeployer({
    engine: {
      outdated: async () => outdated,
      deploy,
      restart: async (component, { number }) => void ran.push(`restart ${component} of ${number}`),
    },
    tables,
    preparation: () => ({ growths: async () => [], prepare: async () => undefined }),
    lock: { describe: async () => undefined, lost: lost.signal, check },
    clock: { monotonic: () => 0, sleep: async () => undefined },
    judge: async () => async () => null,
    signal: new AbortController().signal,
    report: () => undefined,
    ...own,
  });
  return { deploy: (wanted: NewRelease) => engineDeployer.deploy(wanted, pauseMs) };
}

const release = (image: string, target: NewRelease['target'] = 'kubernetes') => ({
  specification: { components: { webhook: {} } },
  packageVersion: '1',
  image,
  program: null,
  target,
  environment: '' as string | null,
  reason: 'deploy',
  who: 'ann',
  host: 'here',
});
const of = (environment: string | null) => ({ ...release('a'), environment });
const outcomes = () => tables.releases.map(({ image, outcome }) => `${image} ${outcome}`);

/** What is said last where the command is ended while the engine works. */
async function lastLineOfEnded(wanted: NewRelease): Promise<string | undefined> {
  const interrupt = new AbortController();
  const isEnded: Engine['deploy'] = (rollout) =>
    fails(rollout).finally(() => interrupt.abort(new Error('interrupted')));
  const lines: string[] = [];
  const own = { signal: interrupt.signal, report: (line: string) => void lines.push(line) };
  await expect(deployer(isEnded, own).deploy(wanted)).rejects.toThrow('interrupted');
  return lines.at(-1);
}

describe('EngineDeployer', () => {
  test('1. A release whose workers do not become ready has failed, and one whose workers make errors or lateness rise was rolled back: the one before it is still the one that runs. Where going back failed too, the release has no outcome yet', async () => {
    expect(await deployer(works).deploy(release('a'))).toMatchObject({ outcome: 'live', release: 1, running: 1 });
    const failed = await deployer(fails).deploy(release('b'));
    expect(failed).toMatchObject({ outcome: 'failed', running: 1, reason: 'exceeded its progress deadline' });
    expect(outcomes()).toEqual(['a live', 'b failed']);
    const mixed = await deployer(() => Promise.reject(new GoingBackFailed('forbidden'))).deploy(release('c'));
    expect(mixed).toMatchObject({ outcome: 'interrupted', release: 3, running: 1, reason: 'forbidden' });
    expect(outcomes()).toEqual(['a live', 'b failed', 'c deploying']);
    expect(await deployer(works).deploy(release('c'))).toMatchObject({ outcome: 'live', release: 3 });
    const halted = await deployer(isHalted).deploy(release('d'));
    expect(halted).toMatchObject({
      outcome: 'rolled_back',
      release: 4,
      running: 3,
      reason: '30 % of the attempts fail',
    });
    expect(outcomes().at(-1)).toBe('d rolled_back');
  });

  test('the judge of the target local is asked about the workers of the release, and about those that an interrupted deploy of it has left', async () => {
    const asked: unknown[] = [];
    const judge: EngineDeployerOptions['judge'] = async (judged, channels) => {
      asked.push(judged, ...channels);
      return async () => 'CDC has been silent for 20 s';
    };
    const own = { judge, clock: { monotonic: () => 0, sleep: async () => undefined } };
    tables.add(release('a'), 'live');
    const halted = await deployer(replaces, own, undefined, 15_000).deploy(release('b'));
    expect(halted).toMatchObject({ outcome: 'rolled_back', reason: 'CDC has been silent for 20 s' });
    tables.add(release('c'), 'deploying');
    await deployer(replaces, own, undefined, 15_000).deploy(release('c'));
    expect(asked).toEqual([
      { releaseNumber: 2, isContinued: false },
      'webhook',
      { releaseNumber: 3, isContinued: true },
      'webhook',
    ]);
  });

  test('a release that runs already is not judged: its workers are no news', async () => {
    tables.add(release('a'), 'live');
    expect(await deployer(replaces, { judge: nobodyIsJudged }, undefined, 15_000).deploy(release('a'))).toMatchObject({
      outcome: 'unchanged',
    });
  });

  test('the engine is told when it goes back to an older version', async () => {
    const told: boolean[] = [];
    const deploys: Engine['deploy'] = async ({ isBack }) => void told.push(isBack);
    for (const packageVersion of ['1', '2', '1']) await deployer(deploys).deploy({ ...release('a'), packageVersion });
    expect(told).toEqual([false, false, true]);
  });

  test('the engine is told of the releases that were begun and are not done', async () => {
    tables.add(release('a'), 'live');
    tables.add(release('b'), 'deploying');
    const told: number[] = [];
    const deploys: Engine['deploy'] = async ({ unfinished }) =>
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

  test('the same in another environment is another release, and an environment that was never kept is none', async () => {
    tables.add(of(null), 'live');
    expect(await deployer(works).deploy(of('production'))).toMatchObject({ outcome: 'unchanged', release: 1 });
    tables.releases = [];
    tables.add(of('production'), 'live');
    expect(await deployer(works).deploy(of('production'))).toMatchObject({ outcome: 'unchanged', release: 1 });
    expect(await deployer(works).deploy(of(''))).toMatchObject({ outcome: 'live', release: 2 });
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
      const ends: Engine['deploy'] = async ({ live, guard }) => {
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
      expect(lines.at(-1)).toBe(
        'release 2 has begun and is not done: `downspout deploy` goes on, `downspout rollback 1` goes back',
      );
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

  test('5. Settings that would replace workers make a new release, also where the topology says the same', async () => {
    tables.add(release('a'), 'live');
    outdated = ['webhook'];
    const judged: number[] = [];
    const judge: EngineDeployerOptions['judge'] = async ({ releaseNumber }) => {
      judged.push(releaseNumber);
      return async () => 'CDC has been silent for 20 s';
    };
    expect(await deployer(replaces, { judge }, undefined, 15_000).deploy(release('a'))).toMatchObject({
      outcome: 'rolled_back',
      release: 2,
      running: 1,
    });
    expect(judged).toEqual([2]);
    expect(await deployer(works).deploy(release('a'))).toMatchObject({ outcome: 'live', release: 3 });
    outdated = [];
    expect(await deployer(works).deploy(release('a'))).toMatchObject({ outcome: 'unchanged', release: 3 });
    expect(outcomes()).toEqual(['a superseded', 'a rolled_back', 'a live']);
  });

  test('a release of other settings that was interrupted is gone on with, and a rollback that would finish it is refused', async () => {
    tables.add(release('a'), 'live');
    outdated = ['webhook'];
    expect(await lastLineOfEnded(release('a'))).toMatch(
      /^release 2 has begun and is not done: .* so no rollback to it/,
    );
    const back = { ...release('a'), reason: 'rollback to 1' };
    await expect(deployer(works).deploy(back)).rejects.toThrow('Release 2 (deploy) was interrupted, and nothing is');
    expect([...ran, ...outcomes()]).toEqual(['a live', 'a deploying']);
    expect(await deployer(works).deploy(release('a'))).toMatchObject({ outcome: 'live', release: 2 });
  });

  test('another command begins a release of its own, although it says what an interrupted one says', async () => {
    for (const image of ['b', 'a']) await deployer(works).deploy(release(image));
    tables.add(release('b'), 'deploying');
    await deployer(works).deploy({ ...release('b'), reason: 'rollback to 1' });
    expect(outcomes()).toEqual(['b superseded', 'a superseded', 'b failed', 'b live']);
  });

  test('what runs already has no way back where the command is ended', async () => {
    tables.add(release('a'), 'live');
    expect(await lastLineOfEnded(release('a'))).toMatch(/^release 1 .* not done: `downspout deploy` goes on$/);
  });

  test('an engine that cannot say which workers would be replaced begins no release', async () => {
    tables.add(release('a'), 'live');
    const unasked = { outdated: () => Promise.reject(new UserError('the token has expired')) };
    const engine = { ...unasked, deploy: works, restart: async () => undefined };
    await expect(deployer(works, { engine }).deploy(release('a'))).rejects.toThrow('the token has expired');
    expect(outcomes()).toEqual(['a live']);
    const interrupt = new AbortController();
    const ended = async () => {
      interrupt.abort(new Error('interrupted'));
      throw new UserError('kubectl was ended');
    };
    const own = { engine: { ...engine, outdated: ended }, signal: interrupt.signal };
    await expect(deployer(works, own).deploy(release('a'))).rejects.toThrow('interrupted');
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
