import { PassThrough } from 'node:stream';
import { ask, confirm } from '../../../deploy/console/confirm';

function terminal(typed: string, isTTY = true) {
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = Object.assign(new PassThrough(), { isTTY });
  input.end(typed);
  return { input, output };
}

test('a person who says yes goes on; every other answer, and none, changes nothing', async () => {
  await confirm('Delete it?', false, terminal('y\n'));
  await confirm('Delete it?', false, terminal(' YES\n'));
  for (const answer of ['n\n', '\n', 'yesterday\n', '']) {
    await expect(confirm('Delete it?', false, terminal(answer))).rejects.toThrow(/^Nothing was changed\.$/);
  }
  const shown = terminal('y\n');
  expect(await ask('Delete it?', shown)).toBe(true);
  expect(String(shown.output.read())).toBe('Delete it? [y/N] ');
});

test('--yes asks nobody; without a terminal the reader is told to give it', async () => {
  await confirm('Delete it?', true, terminal('', false));
  await expect(confirm('Delete it?', false, terminal('y\n', false))).rejects.toThrow(
    'Delete it? Nothing was changed: give --yes, because there is no terminal to ask at.',
  );
});
