import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
let clone: string;

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'setup-'));
  for (const file of [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'deploy/setup.mjs',
  ]) {
    cpSync(join(ROOT, file), join(clone, file));
  }
  mkdirSync(join(clone, 'topology'));
  writeFileSync(join(clone, 'topology', 'a.ts'), 'export const a: number = 1;\n');
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
});
afterEach(() => rmSync(clone, { recursive: true, force: true }));

function setUp(): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['deploy/setup.mjs'], {
    cwd: clone,
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

describe('setup.mjs', () => {
  it('builds once, and is quiet when there is nothing to do', () => {
    expect(setUp()).toEqual({ status: 0, output: 'set-up: building\n' });
    expect(existsSync(join(clone, 'dist', 'topology', 'a.js'))).toBe(true);
    expect(setUp()).toEqual({ status: 0, output: '' });
  });

  it('builds again after a change, and removes what has no source any more', () => {
    writeFileSync(join(clone, 'topology', 'b.ts'), 'export const b = 2;\n');
    setUp();
    rmSync(join(clone, 'topology', 'b.ts'));
    expect(setUp().output).toBe('set-up: building\n');
    expect(existsSync(join(clone, 'dist', 'topology', 'b.js'))).toBe(false);
    expect(existsSync(join(clone, 'dist', 'topology', 'a.js'))).toBe(true);
  });

  it('shows what the compiler says, and tries again the next time', () => {
    writeFileSync(join(clone, 'topology', 'a.ts'), "export const a: number = 'one';\n");
    for (const attempt of [1, 2]) {
      const { status, output } = setUp();
      expect([attempt, status]).toEqual([attempt, 1]);
      expect(output).toContain('topology/a.ts');
    }
  });
});
