import { InterimAnswers } from '../../../../connectors/channels/http/interim-answers';

const FINAL = 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 100 is the text\r\n\r\n';
const left = (interim: InterimAnswers, pieces: readonly string[]) =>
  pieces.map((piece) => interim.take(Buffer.from(piece))?.toString()).join('');

test.each([
  ['nothing', ''],
  ['100', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['one without a reason', 'HTTP/1.1 199\r\n\r\n'],
  ['four', 'HTTP/1.1 102 x\r\n\r\nHTTP/1.1 100 x\r\na: b\r\n\r\nHTTP/1.1 103 x\r\n\r\nHTTP/1.0 100 x\r\n\r\n'],
  ['one between empty lines', '\r\n\r\nHTTP/1.1 103 x\r\na: b\r\n\r\n\r\n'],
])('%s before an answer is left out, wherever the pieces end', (_, before) => {
  const all = `${before}${FINAL}`;
  for (let at = 0; at <= all.length; at++) {
    expect(withoutEmptyLines(left(new InterimAnswers(), [all.slice(0, at), all.slice(at)]))).toBe(FINAL);
  }
  expect(withoutEmptyLines(left(new InterimAnswers(), all.split('')))).toBe(FINAL);
});

test('an answer that comes before its request is written whole stays as it is, wherever its pieces end', () => {
  const interim = new InterimAnswers();
  const pieces = ['HTTP/1.1 413 x\r\ntransfer-encoding: chunked\r\n', '\r\n', '5\r\nlarge', '\r\n0\r\n\r\n'];
  const answer = pieces.map((piece) => {
    interim.expect();
    return interim.take(Buffer.from(piece))?.toString();
  });
  expect(answer.join('') + interim.rest.toString()).toBe(pieces.join(''));
});

/** Parsers skip those before a head. */
function withoutEmptyLines(text: string | undefined): string | undefined {
  return text?.replace(/^[\r\n]+/, '');
}

test.each(['HTTP/1.1 101 Switching\r\n\r\n', 'HTTP/1.1 1000 x\r\n\r\n', 'SMTP 100 x\r\n\r\n', 'HTTP/1.1 10'])(
  '%j is no interim answer',
  (text) => {
    const interim = new InterimAnswers();
    expect(`${left(interim, text.split(''))}${interim.rest.toString()}`).toBe(text);
  },
);

test.each([
  ['HTTP/1.1 204 No Content\r\n', 204],
  ['HTTP/1.0 200\r\n', 200],
  ['\r\nHTTP/1.1 299 x\n', 299],
  ['HTTP/1.1 103 x\r\n\r\nHTTP/1.1 404 x\r\n', 404],
  ['HTTP/1.1 103 x\r\n\r\n', 0],
  ['HTTP/1.1 20', 0],
  ['HTTP/1.1 2000 x\r\n', 0],
  ['HTTP/1.1 2x0 x\r\n', 0],
  ['220 mail.test\r\n', 0],
  ['HTTPS1.1 200 x\r\n', 0],
])(
  '%j begins an answer with the status %i, wherever its pieces end, until another one is asked for',
  (text, status) => {
    for (let at = 0; at <= text.length; at++) {
      const interim = new InterimAnswers();
      left(interim, [text.slice(0, at), text.slice(at)]);
      expect(interim.status).toBe(status);
      interim.expect();
      expect(interim.status).toBe(0);
    }
  },
);

test('The status of an answer is kept while the rest of it comes', () => {
  const interim = new InterimAnswers();
  left(interim, ['HTTP/1.1 404 x\r\nnote: ', 'HTTP/1.1 200 OK\r\n']);
  expect(interim.status).toBe(404);
});

test('The status of an answer of HTTP/2 in the words of HTTP/1 is known when it comes in one piece', () => {
  const interim = new InterimAnswers();
  left(interim, ['HTTP/2 200\r\n\r\n']);
  expect(interim.status).toBe(200);
});

test('The next answer is looked for when a request was written, and not within an answer', () => {
  const interim = new InterimAnswers();
  const early = 'HTTP/1.1 100 Continue\r\n\r\n';
  expect(left(interim, [FINAL, early])).toBe(`${FINAL}${early}`);
  interim.expect();
  expect(left(interim, [early.slice(0, 20)])).toBe('');
  // More of the request's body was written meanwhile.
  interim.expect();
  expect(left(interim, [early.slice(20), FINAL])).toBe(FINAL);
});

test('A head without end is given up, in one piece or in many', () => {
  const line = `x-a: ${'b'.repeat(1_000)}\r\n`;
  expect(new InterimAnswers().take(Buffer.from(`HTTP/1.1 103 x\r\n${line.repeat(300)}\r\n${FINAL}`))).toBeUndefined();
  const interim = new InterimAnswers();
  const taken = Array.from({ length: 300 }, (_, n) => interim.take(Buffer.from(n === 0 ? 'HTTP/1.1 103 x\r\n' : line)));
  expect(taken).toContain(undefined);
});

test('Empty lines without end are not kept, in one piece or in many', () => {
  const interim = new InterimAnswers();
  const taken = Array.from({ length: 2_000 }, () => interim.take(Buffer.from('\r\n')) as Buffer);
  expect(Buffer.concat(taken)).toHaveLength(4_000);
  expect(interim.rest).toHaveLength(0);
  expect(left(new InterimAnswers(), ['\r\n'.repeat(2_000)])).toHaveLength(4_000);
});

test('The head of an answer is given up where it is too long, in one piece or in many, and its body is not', () => {
  const lines = 'a:\r\n'.repeat(40_000);
  expect(new InterimAnswers().take(Buffer.from(`HTTP/1.1 200 OK\r\n${lines}`))).toBeUndefined();
  const interim = new InterimAnswers();
  const pieces = ['HTTP/1.1 200 OK\r\n', ...(lines.match(/[^]{1,1000}/g) ?? [])];
  const taken = pieces.map((piece) => interim.take(Buffer.from(piece)));
  // Short lines take far more room than they have bytes.
  expect(taken.indexOf(undefined)).toBeLessThan(20);
  expect(taken).toContain(undefined);
  expect(interim.status).toBe(200);
  for (const head of [
    ['HTTP/1.1 200 OK\r\n\r\n'],
    ['HTTP/1.1 200 OK\r\n', '\r', '\n'],
    ['HTTP/1.1 200 OK\r\na: b\r', '\n\r', '\n'],
  ]) {
    const other = new InterimAnswers();
    expect(left(other, [...head, lines])).toBe(head.join('') + lines);
  }
});
