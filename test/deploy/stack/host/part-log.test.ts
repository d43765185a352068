import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endOfLog, sizeOf, whatToDo } from '../../../../deploy/stack/host/part-log';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a part’s log', () => {
  it('is shown from this start on, without the frames of stack traces', () => {
    const file = join(folder, 'a.log');
    writeFileSync(file, 'an older start\n');
    const from = sizeOf(file);
    writeFileSync(file, 'an older start\nERROR no\n\tat a.B.c(D.java:1)\n\t... 7 more\nCaused by: x\n');
    expect(endOfLog(file, from)).toBe('  | ERROR no\n  | Caused by: x');
    expect(sizeOf(join(folder, 'none'))).toBe(0);
  });

  it.each([
    ['java.net.BindException: Address already in use', 'KAFKA_PORT'],
    ['Do you already have another mysqld server running', 'Port 4711 is taken'],
    ['write failed: No space left on device', 'Make room'],
    ['insufficient memory for the Java Runtime', 'memory'],
    ['java.util.zip.ZipException: zip END header not found', 'cache'],
    ['something else', 'up` again'],
  ])('%j tells what to do', (line, advice) => {
    expect(whatToDo(line, 'kafka', 4711)).toContain(advice);
  });
});
