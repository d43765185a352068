import { PassThrough } from 'node:stream';
import { Output, printable } from '../../../deploy/console/output';

function streams(isTTY = false) {
  const out = Object.assign(new PassThrough(), { isTTY });
  const err = Object.assign(new PassThrough(), { isTTY });
  return { out, err, text: (stream: PassThrough) => String(stream.read() ?? '') };
}

test('data is JSON under --json, and then nothing else is on standard output', () => {
  const { out, err, text } = streams();
  const output = new Output({ json: true }, out, err);
  output.line('for people');
  output.data({ a: 1 }, () => 'one');
  expect(JSON.parse(text(out))).toEqual({ a: 1 });
  expect(text(err)).toBe('for people\n');
});

test('details are shown only when asked for, and never among the data', () => {
  const { out, err, text } = streams();
  new Output({}, out, err).detail('quiet');
  new Output({ verbose: true }, out, err).detail('loud');
  expect([text(out), text(err)]).toEqual(['', 'loud\n']);
});

test('a table is aligned, without colours off a terminal', () => {
  const { out, err } = streams();
  const rows = [
    { name: 'webhook', count: '12' },
    { name: 'x', count: '1,234' },
  ];
  const text = new Output({}, out, err).table(
    [
      { title: 'channel', value: (row) => row.name },
      { title: 'rows', align: 'right', value: (row) => row.count },
    ],
    rows,
  );
  expect(text.split('\n').map((line) => line.trimEnd())).toEqual([
    'channel   rows',
    'webhook     12',
    'x        1,234',
  ]);
});

test('control characters of strangers do not reach the terminal', () => {
  expect(printable('a\x1b[31mb\u202ec\n😀')).toBe('a\\x1b[31mb\\u202ec\\x0a😀');
});
