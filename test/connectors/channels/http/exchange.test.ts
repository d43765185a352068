import { Exchange, type ExchangeResult, SHORT_ANSWER } from '../../../../connectors/channels/http/exchange';
import { ManualClock } from '../../../support/manual-clock';

function exchange(mayStart = () => true, limits = SHORT_ANSWER) {
  const clock = new ManualClock();
  const end = jest.fn<void, [ExchangeResult]>();
  const made = new Exchange(10_000, mayStart, () => clock.monotonic(), end, limits);
  return { clock, end, made, abort: jest.fn() };
}

describe('mayStart is asked in the tick of the write:', () => {
  test('undici is stopped by an error when the answer is no, and nothing counts as written', () => {
    const { made, end, abort } = exchange(() => false);
    expect(() => made.onConnect(abort)).toThrow('may not start');
    expect(end.mock.calls).toEqual([[{ kind: 'not_written', why: 'refused' }]]);
  });

  test('it is not asked for an exchange that expired before it had a connection', () => {
    const mayStart = jest.fn(() => true);
    const { made, end, abort } = exchange(mayStart);
    made.expire();
    expect(() => made.onConnect(abort)).toThrow('not wanted');
    expect(mayStart).not.toHaveBeenCalled();
    expect(end.mock.calls).toEqual([[{ kind: 'not_written', why: 'expired' }]]);
  });
});

test('the request is written at most once: undici gets an error when it brings the request again', () => {
  const mayStart = jest.fn(() => true);
  const { made, end, abort } = exchange(mayStart);
  made.onConnect(abort);
  expect(() => made.onConnect(abort)).toThrow('not wanted');
  expect(mayStart).toHaveBeenCalledTimes(1);
  made.onError(new Error('the connection went'));
  made.onError(new Error('again'));
  expect(end.mock.calls).toEqual([[expect.objectContaining({ kind: 'no_answer', why: 'error' })]]);
});

describe('the status decides:', () => {
  test.each<[string, (made: Exchange) => void]>([
    ['broken', (made) => made.onError(new Error('cut'))],
    ['too slow', (made) => made.expire()],
    ['too long', (made) => void made.onData(Buffer.alloc(64 * 1024 + 1))],
    ['complete', (made) => made.onComplete()],
  ])('a body that is %s changes nothing', (_, happens) => {
    const { made, end, abort } = exchange();
    made.onConnect(abort);
    made.onHeaders(103, []);
    made.onHeaders(201, [Buffer.from('a'), Buffer.from('b')]);
    expect(made.deadline).toBe(1_000);
    happens(made);
    expect(end.mock.calls).toEqual([[expect.objectContaining({ kind: 'answered', status: 201 })]]);
  });
});

test('a body that drips is put together in one place, and its beginning is kept', () => {
  const { made, end, abort } = exchange();
  made.onConnect(abort);
  made.onHeaders(200, []);
  const concat = jest.spyOn(Buffer, 'concat');
  const letters = Array.from({ length: 20_000 }, (_, n) => String(n % 10));
  for (const letter of letters) made.onData(Buffer.from(letter));
  made.onComplete();
  expect(concat).not.toHaveBeenCalled();
  concat.mockRestore();
  const body = Buffer.from(letters.join('').slice(0, 16 * 1024));
  expect(end.mock.calls).toEqual([[expect.objectContaining({ kind: 'answered', body })]]);
});

test('a long body is kept whole where it is wanted, and its room grows with it', () => {
  const { made, end, abort } = exchange(undefined, { maxBytes: 200_000, keptBytes: 100_000, graceMs: 5_000 });
  made.onConnect(abort);
  made.onHeaders(200, []);
  expect(made.deadline).toBe(5_000);
  const chunks = Array.from({ length: 12 }, (_, n) => Buffer.alloc(10_000, n + 1));
  for (const chunk of chunks) made.onData(chunk);
  expect(abort).not.toHaveBeenCalled();
  made.onComplete();
  const body = Buffer.concat(chunks).subarray(0, 100_000);
  expect(end.mock.calls).toEqual([[expect.objectContaining({ kind: 'answered', body })]]);
});

test('of a long first chunk nothing is lost when more chunks come', () => {
  const { made, end, abort } = exchange(undefined, { maxBytes: 200_000, keptBytes: 100_000, graceMs: 5_000 });
  made.onConnect(abort);
  made.onHeaders(200, []);
  const chunks = [Buffer.alloc(65_000, 1), Buffer.alloc(10_000, 2)];
  for (const chunk of chunks) made.onData(chunk);
  made.onComplete();
  expect(end.mock.calls).toEqual([[expect.objectContaining({ kind: 'answered', body: Buffer.concat(chunks) })]]);
});
