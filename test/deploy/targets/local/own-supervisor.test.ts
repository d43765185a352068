import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureOwnSupervisor } from '../../../../deploy/targets/local/own-supervisor';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-own-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const was = process.cwd();
afterEach(() => process.chdir(was));

/** @returns in which folder a supervisor is started, below this one; null for none */
async function started(
  verb: { readonly mayBeFirst: boolean; readonly supervises?: boolean; readonly state?: string },
  othersLive: number,
): Promise<string | null> {
  process.chdir(folder);
  let there: string | null = null;
  await ensureOwnSupervisor(
    { supervises: true, ...verb },
    () => Promise.resolve(othersLive),
    (at) => {
      there = at;
      return Promise.resolve({ pid: 1, isNew: true, logFile: '' });
    },
  );
  return there;
}

const [deploy, scale] = [{ mayBeFirst: true }, { mayBeFirst: false }];

test('a verb that changes a release makes no host one that runs workers, also while no supervisor lives', async () => {
  expect(await started(scale, 0)).toBeNull();
  expect(await started(scale, 1)).toBeNull();
  expect(await started(deploy, 1)).toBeNull();
  expect(await started(deploy, 0)).toContain('workers');
});

test('a host that had a supervisor gets it again, whoever lives beside it', async () => {
  expect(await started({ ...scale, state: folder }, 1)).toBe(folder);
  expect(await started({ ...deploy, state: folder }, 1)).toBe(folder);
  expect(await started({ ...deploy, state: folder, supervises: false }, 0)).toBeNull();
});

test('a folder that is named is meant, where no supervisor lives', async () => {
  const named = join(folder, 'new');
  expect(await started({ ...scale, state: named }, 0)).toBe(named);
  expect(await started({ ...scale, state: named }, 1)).toBeNull();
});
