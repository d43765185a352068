import { PassThrough } from 'node:stream';
import { outliveReaders } from '../../../deploy/console/readers';

const failure = (code: string) => Object.assign(new Error(`write ${code}`), { code });

afterEach(() => {
  process.exitCode = undefined;
});

test.each(['EPIPE', 'EIO', 'ECONNRESET'])('a reader that has left is no error: %s', (code) => {
  const { out, err } = streams();
  out.emit('error', failure(code));
  err.emit('error', failure(code));
  expect(process.exitCode).toBeUndefined();
  expect(err.read()).toBeNull();
});

test('data that cannot be written makes the exit code 1 and is told once; progress that cannot be written ends nothing', () => {
  const { out, err } = streams();
  err.emit('error', failure('ENOSPC'));
  expect(process.exitCode).toBeUndefined();
  out.emit('error', failure('ENOSPC'));
  out.emit('error', failure('ENOSPC'));
  expect(process.exitCode).toBe(1);
  expect(String(err.read())).toBe('error: what was asked for could not be written to standard output: write ENOSPC\n');
});

function streams() {
  const [out, err] = [new PassThrough(), new PassThrough()];
  outliveReaders(out, err);
  return { out, err };
}
