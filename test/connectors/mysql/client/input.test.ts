import { UserError } from '../../../../connectors/mysql/client/client';
import {
  checkEdit,
  checkMessage,
  checkResolution,
  checkTime,
  type Edit,
  type NewMessage,
  type Resolution,
} from '../../../../connectors/mysql/client/input';

const message = (more: object): NewMessage => ({
  account: 'a',
  channel: 'webhook',
  payload: { url: 'http://x.test/', body: 1 },
  dueAt: Date.UTC(2027, 0, 1),
  ...more,
});

test.each([
  ['a Date', new Date(1_700_000_000_005), 1_700_000_000_005],
  ['epoch milliseconds', 1_700_000_000_000, 1_700_000_000_000],
  ['epoch milliseconds as text', '1700000000000', 1_700_000_000_000],
  ['the first moment of 2000', '2000-01-01T00:00:00Z', 946_684_800_000],
  ['the first moment of 2100', '2100-01-01T00:00:00Z', 4_102_444_800_000],
  ['an offset', '2027-01-31T09:00:00+01:00', Date.UTC(2027, 0, 31, 8)],
  ['a short offset', '2027-01-31T09:00-0530', Date.UTC(2027, 0, 31, 14, 30)],
  ['an offset in hours', '2027-01-31T09:00:00+01', Date.UTC(2027, 0, 31, 8)],
  ['a space and small letters', '2027-01-31 09:00:00.5z', Date.UTC(2027, 0, 31, 9, 0, 0, 500)],
  ['29 February of a leap year', '2028-02-29T00:00:00Z', Date.UTC(2028, 1, 29)],
])('a time may be %s', (_, given, expected) => {
  expect(checkTime('dueAt', given)).toBe(expected);
});

test.each([
  [90_000, 90_000],
  ['90000', 90_000],
  ['24h', 86_400_000],
  ['1.5 h', 5_400_000],
  ['1s', 1_000],
  [49 * 86_400_000, 49 * 86_400_000],
  ['channel', null],
  [undefined, null],
  [null, null],
])('a message may be sent within %p', (sendWithin, expected) => {
  expect(checkMessage(message({ sendWithin })).sendWithin).toBe(expected);
});

test.each([[0], [999], ['0s'], [-1], [49 * 86_400_000 + 1], ['50d'], ['soon'], [1.5], [Number.NaN], [true], ['']])(
  'sendWithin %p is refused by its name',
  (sendWithin) => {
    expect(() => checkMessage(message({ sendWithin }))).toThrow(/^sendWithin: expected 1s to 49d, such as 24h/);
  },
);

test('onLate is one of its words, and anything else is refused by its name', () => {
  for (const onLate of ['send', 'skip', 'suspend']) expect(checkMessage(message({ onLate })).onLate).toBe(onLate);
  expect(checkMessage(message({ onLate: 'channel' })).onLate).toBeNull();
  expect(checkMessage(message({})).onLate).toBeNull();
  for (const onLate of ['drop', 1, '']) {
    expect(() => checkMessage(message({ onLate }))).toThrow(/^onLate: expected send, skip, suspend or channel, got /);
  }
});

test.each([['2027-01-31T09:00:00'], ['2027-01-31 09:00'], ['2027-01-31']])('%s has no zone and is refused', (given) => {
  expect(() => checkTime('dueAt', given)).toThrow(
    new UserError(`dueAt: "${given}" has no zone; end it with Z or an offset such as +01:00`),
  );
});

test.each([
  ['tomorrow'],
  ['2027'],
  ['20270131'],
  ['2027-02-30T00:00:00Z'],
  ['2027-02-29T00:00:00Z'],
  ['2027-13-01T00:00:00Z'],
  ['2027-01-01T25:00:00Z'],
  ['2027-01-31T09:00:00+20:00'],
  ['2027-01-31T09:00:00+14:30'],
  ['2027-01-31T09:00:00+99'],
  [''],
  [Number.NaN],
  [0.5],
  [new Date('x')],
  [undefined],
  [null],
  [1_800_000_000_000_000_000n],
])('%p is no time', (given) => {
  expect(() => checkTime('dueAt', given as string)).toThrow(/^dueAt: expected a Date, epoch milliseconds, or ISO 8601/);
});

test.each([
  [1_800_000_000, ', which looks like seconds: multiply them by 1000'],
  ['1800000000', ', which looks like seconds: multiply them by 1000'],
  [1_800_000_000_000_000, ', which looks like microseconds: divide them by 1000'],
  [1_800_000_000_000_000_000, ', which looks like nanoseconds: divide them by 1000000'],
  [46_417, ', which looks like a date of a spreadsheet: write it as text'],
  [-1, ''],
  [946_684_799_999, ''],
  [4_102_444_800_001, ''],
  ['9999-12-31T23:59:59.999Z', ''],
  [new Date(0), ''],
  [8_640_000_000_000_001, ''],
])('%p is not between 2000 and 2100 and is refused', (given, hint) => {
  expect(() => checkTime('dueAt', given)).toThrow(
    new UserError(`dueAt: expected a time between 2000 and 2100, got ${JSON.stringify(given)}${hint}`),
  );
});

test.each([
  ['31.01.2027 09:00', 'a date as one country writes it'],
  ['1/31/2027', 'a date as one country writes it'],
  ['1/31/27 9:00 AM', 'a date as one country writes it'],
  ['2027/01/31 09:00', 'a date as one country writes it'],
  ['2027-1-31 9:00', 'a date as one country writes it'],
  ['31-Jan-27', 'a date in words'],
  ['Jan 31, 2027', 'a date in words'],
  ['Sunday, 31 January 2027', 'a date in words'],
  ['1. März 2027', 'a date in words'],
  ['1,800,000,000,000', 'a number with separators'],
  ['1.800.000.000.000', 'a number with separators'],
  ['1 800 000 000 000', 'a number with separators'],
  ['1\u202f800\u202f000\u202f000\u202f000', 'a number with separators'],
  ['1.8E+12', 'a number that a spreadsheet has rounded'],
  ['46402.375', 'a date of a spreadsheet'],
  ['46402,375', 'a date of a spreadsheet'],
  ['1800000000.25', 'seconds with a fraction'],
  ['09:00', 'a time without a date'],
  ['2027-01-31T09:00:00+01:00[Europe/Berlin]', 'a time whose zone is written otherwise'],
  ['2027-01-31T09:00[Europe/Berlin]', 'a time whose zone is written otherwise'],
  ['2027-01-31 09:00:00 Europe/Berlin', 'a time whose zone is written otherwise'],
  ['2027-01-31 09:00:00 +0000 UTC', 'a time whose zone is written otherwise'],
  ['2027-01-31 09:00:00 +0100', 'a time whose zone is written otherwise'],
  ['2027-01-31T09:00:00.5 GMT', 'a time whose zone is written otherwise'],
  ['2027-01-31T09:00:00\u221201:00', 'a time whose zone is written otherwise'],
  ['2027-12-31T23:59:60Z', 'a leap second'],
  ['20270131T090000Z', 'a time without separators'],
  [1_800_000_000.25, 'seconds with a fraction'],
  [46_402.375, 'a date of a spreadsheet'],
])('%p is refused with what it looks like', (given, what) => {
  expect(() => checkTime('dueAt', given)).toThrow(
    new RegExp(
      `^dueAt: expected .*, got ${JSON.stringify(given).replaceAll(/[.+[\]()]/g, '\\$&')}, which looks like ${what}: `,
    ),
  );
});

test('nanoseconds that a number cannot hold, as JSON is read, are refused with what they look like', () => {
  expect(() => checkTime('dueAt', 1_800_000_000_000_000_001n)).toThrow(
    /^dueAt: expected .*, got 1800000000000000001, which looks like nanoseconds: divide them by 1000000$/,
  );
});

test.each([
  [{ dedupe_key: 'k' }, 'dedupe_key: the field is called dedupeKey'],
  [{ dedupekey: 'k' }, 'dedupekey: the field is called dedupeKey'],
  [{ local_time: '9:00' }, 'local_time: the field is called localTime'],
  [{ 'on-late': 'skip' }, 'on-late: the field is called onLate'],
])('%j would count for nothing and is refused', (given, text) => {
  expect(() => checkMessage(message(given))).toThrow(new UserError(text));
  expect(() => checkEdit({ id: 1, ...given })).toThrow(new UserError(text));
});

test('an edit whose due time is spelled otherwise is refused, and fields of an application’s own are left to it', () => {
  expect(() => checkEdit({ id: 1, due_at: 1_800_000_000_000 } as Edit)).toThrow('due_at: the field is called dueAt');
  expect(checkMessage(message({ campaign: 7 }))).toEqual(checkMessage(message({})));
  const empty = { dedupe_key: null, Zone: undefined };
  expect(checkMessage(message(empty))).toEqual(checkMessage(message({})));
  expect(checkEdit({ id: 1, version: 2, ...empty })).toMatchObject({ id: 1, version: 2 });
});

test.each(['3', 2.5, Number.NaN, {}])('an edit of the version %j, which no message can have, is refused', (version) => {
  expect(() => checkEdit({ id: 1, version } as Edit)).toThrow(/^version: expected a number, got /);
});

test('an optional field that is null is not given', () => {
  const nulls = { dedupeKey: null, localTime: null, zone: null };
  expect(checkMessage(message(nulls))).toEqual(checkMessage(message({})));
  const payload = { url: 'http://x.test/', method: null, headers: null, body: null };
  expect(checkMessage(message({ payload })).payload).toBe('{"url":"http://x.test/","body":null}');
  expect(() => checkMessage(message({ payload: { url: null } }))).toThrow(/^payload\.url: /);
  expect(checkEdit({ id: 1, dueAt: null, payload: { url: 'x' } } as unknown as Edit)).toEqual({
    id: 1,
    payload: { url: 'x' },
  });
  expect(checkResolution({ id: 1, as: 'delivered', receipt: null } as unknown as Resolution)).toMatchObject({
    receipt: null,
    at: null,
  });
});

test.each([
  [{ account: '' }, 'account: expected 1 to 64 characters, got ""'],
  [{ account: 'x'.repeat(65) }, 'account: expected 1 to 64 characters, got 65'],
  [{ account: 7 }, 'account: expected 1 to 64 characters, got 7'],
  [{ account: 'a\ud800' }, 'account: not valid Unicode: "a\\ud800"'],
  [{ dedupeKey: 'x'.repeat(129) }, 'dedupeKey: expected 1 to 128 characters, got 129'],
  [
    { channel: 'pigeon' },
    'channel: expected one of webhook, mastodon, telegram, discord, slack, linkedin, email, bluesky, x, facebook, instagram, threads, got "pigeon"',
  ],
  [
    { channel: 'constructor' },
    'channel: expected one of webhook, mastodon, telegram, discord, slack, linkedin, email, bluesky, x, facebook, instagram, threads, got "constructor"',
  ],
  [{ payload: { url: 'x', body: 1 } }, 'payload.url: expected an http or https URL'],
  [
    { payload: { url: 'http://x.test/', body: { id: 2 ** 60 } } },
    'payload.body.id: 1152921504606847000 is beyond 2^53, so it may have lost digits before it came here; give a bigint or a text',
  ],
  [{ payload: { url: 'http://x.test/', body: { deep: ['\udc00'] } } }, 'payload: a text is not valid Unicode'],
])('%p is refused: %s', (more, reason) => {
  expect(() => checkMessage(message(more))).toThrow(reason);
});

const withBody = (bytes: number) => message({ payload: { url: 'http://x.test/', body: 'ä'.repeat(bytes / 2) } });

test('a bigint in a payload is kept as an integer', () => {
  const payload = { url: 'http://x.test/', body: { id: 1_524_831_183_200_260_097n } };
  expect(checkMessage(message({ payload })).payload).toBe('{"url":"http://x.test/","body":{"id":1524831183200260097}}');
});

test('a payload is one MiB at most', () => {
  const bare = JSON.stringify({ url: 'http://x.test/', body: '' }).length;
  expect(Buffer.byteLength(checkMessage(withBody(1024 ** 2 - bare)).payload)).toBe(1024 ** 2);
  expect(() => checkMessage(withBody(1024 ** 2 - bare + 2))).toThrow(
    new UserError('payload: expected at most 1048576 bytes of JSON, got 1048578'),
  );
});

test('characters are counted as people count them, and backslashes are only backslashes', () => {
  expect(checkMessage(message({ account: '🦆'.repeat(64) })).account).toBe('🦆'.repeat(64));
  const body = '\\ud800 \\\\ud800 🦆';
  expect(JSON.parse(checkMessage(message({ payload: { url: 'http://x.test/', body } })).payload)).toMatchObject({
    body,
  });
});
