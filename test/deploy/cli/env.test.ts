import { execFileSync } from 'node:child_process';
import { shellLines } from '../../../deploy/cli/verbs/env';

describe('shellLines', () => {
  it('is read back by a shell as it was, whatever it holds', () => {
    const value = 'it\'s "a" $HOME `id` \\ and\na line';
    const lines = shellLines({ DATABASE_URL: value });
    expect(execFileSync('sh', ['-c', `${lines}\nprintf %s "$DATABASE_URL"`], { encoding: 'utf8' })).toBe(value);
  });
});
