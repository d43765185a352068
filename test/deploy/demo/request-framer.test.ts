import { type FramedRequest, headerOf, NotUnderstood, RequestFramer } from '../../../deploy/demo/request-framer';

function frame(...chunks: (string | Buffer)[]): FramedRequest[] {
  const requests: FramedRequest[] = [];
  const framer = new RequestFramer((request) => requests.push(request));
  for (const chunk of chunks) framer.feed(Buffer.from(chunk as string));
  return requests;
}

const post = (body: string) =>
  `POST /a HTTP/1.1\r\nContent-Length: ${Buffer.byteLength(body)}\r\nX-Tag: t\r\n\r\n${body}`;

test('requests come out whole, however the packets are cut', () => {
  const bytes = Buffer.from(post('Grüße') + post('') + post('\r\n\r\n') + 'GET /b HTTP/1.1\r\nhost: x\r\n\r\n');
  const whole = frame(bytes).map(({ head, body }) => [head.split(' ')[1], body.toString()]);
  expect(whole).toEqual([
    ['/a', 'Grüße'],
    ['/a', ''],
    ['/a', '\r\n\r\n'],
    ['/b', ''],
  ]);
  const parts = [...bytes].map((byte) => Buffer.from([byte]));
  expect(frame(...parts).map(({ head, body }) => [head.split(' ')[1], body.toString()])).toEqual(whole);
  for (let at = 1; at < bytes.length; at++) {
    expect(frame(bytes.subarray(0, at), bytes.subarray(at))).toHaveLength(4);
  }
});

test('what is not understood is refused', () => {
  expect(() => frame('POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n')).toThrow(NotUnderstood);
  expect(() => frame('a'.repeat(70_000))).toThrow(NotUnderstood);
});

test('headers are found in any case', () => {
  const head = 'POST / HTTP/1.1\r\nX-Due-At:  12 \r\nidempotency-key: k';
  expect(headerOf(head, 'x-due-at')).toBe('12');
  expect(headerOf(head, 'idempotency-key')).toBe('k');
  expect(headerOf(head, 'due-at')).toBeUndefined();
});
