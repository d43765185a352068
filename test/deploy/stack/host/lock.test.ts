import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withLock } from '../../../../deploy/stack/host/lock';
import { ownRecord } from '../../../../deploy/stack/host/processes';
import { systemClock } from '../../../../topology/core/clock';

let directory: string;
let path: string;
const nothing = () => undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lock-'));
  path = join(directory, 'a.lock');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('withLock', () => {
  it('lets one in at a time, and says once who is waited for', async () => {
    let inside = 0;
    let most = 0;
    const waits: number[] = [];
    const work = async () => {
      most = Math.max(most, ++inside);
      await systemClock.sleep(5);
      inside--;
    };
    await Promise.all([1, 2, 3].map(() => withLock(path, systemClock, (pid) => waits.push(pid), work)));
    expect(most).toBe(1);
    expect(waits).toEqual([process.pid, process.pid]);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('is let go when the work fails', async () => {
    const failing = withLock(path, systemClock, nothing, async () => {
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await withLock(path, systemClock, nothing, async () => 'in')).toBe('in');
  });

  it('is taken over from a process that died, even when its id is used again', async () => {
    writeFileSync(path, JSON.stringify({ ...ownRecord(), started: 'another time' }));
    expect(await withLock(path, systemClock, nothing, async () => 'in')).toBe('in');
    expect(readdirSync(directory)).toEqual([]);
  });
});
