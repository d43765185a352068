import { readPieces } from './read-pieces';

const head = 'account,channel,due_at,payload.url,payload.body';
const row = 'acme,webhook,2027-01-31T09:00:00Z,https://x.test/h,Grüße 😀';
const fields = {
  account: 'acme',
  channel: 'webhook',
  due_at: '2027-01-31T09:00:00Z',
  payload: { url: 'https://x.test/h', body: 'Grüße 😀' },
};
const tableOf = (column: string, cell: string) =>
  `account;channel;due_at;payload.url;${column}\na;webhook;1;https://x.test;${cell}\n`;
const swapped = (text: string) => Buffer.from(text, 'utf16le').swap16();

test.each<[string, string | Buffer, number]>([
  ['commas', `${head}\n${row}\n`, 2],
  ['commas, without a last line end', `${head}\r\n${row}`, 2],
  ['semicolons (Excel where the comma is decimal)', `\ufeff${`${head}\r\n${row}\r\n`.replaceAll(',', ';')}`, 2],
  ['tabs', `${head}\r\n${row}\r\n`.replaceAll(',', '\t'), 2],
  ['a line that names the separator', `sep=;\r\n${`${head}\r\n${row}\r\n`.replaceAll(',', ';')}`, 3],
  ['a quoted line that names the separator, after a mark', `\ufeff"sep=,"\r\n${head}\r\n${row}\r\n`, 3],
  [
    'a line that named the separator, saved again with it',
    `sep=;;;;;\r\n${`${head}\r\n${row}\r\n`.replaceAll(',', ';')}`,
    3,
  ],
  ['a line that names another separator, saved again with commas', `sep=;,,,,\r\n${head}\r\n${row}\r\n`, 3],
  ['a separator that only its line names', `sep=^\n${`${head}\n${row}\n`.replaceAll(',', '^')}`, 3],
  ['quoted names', `"account";"channel";"due_at";"payload.url";"payload.body"\r\n${row.replaceAll(',', ';')}\r\n`, 2],
  ['rows of separators at the end', `${head}\r\n${row}\r\n,,,,\r\n , ,,,\r\n`, 2],
  ['empty rows above the names', `\r\n,,,,\r\n${head}\r\n${row}\r\n`, 4],
  ['empty columns at the right', `${head},,\r\n${row},,\r\n`, 2],
  ['an empty column at the left', `,${head}\r\n,${row}\r\n`, 2],
  ['more empty cells than names', `${head}\r\n${row},,,\r\n`, 2],
  ['line ends of an old Mac', `${head}\r${row}\r`, 2],
  ['line ends of both kinds', `${head}\n${row}\r\n`, 2],
  ['UTF-16 of Excel: "Unicode text"', Buffer.from(`\ufeff${head}\r\n${row}\r\n`.replaceAll(',', '\t'), 'utf16le'), 2],
  ['UTF-16, little end first, without a mark', Buffer.from(`${head}\r\n${row}\r\n`, 'utf16le'), 2],
  ['UTF-16, big end first', swapped(`\ufeff${head}\r\n${row}\r\n`), 2],
  ['UTF-16, big end first, without a mark', swapped(`${head}\r\n${row}\r\n`), 2],
])('a table is read when it has %s', async (_, file, line) => {
  expect(await readPieces(file)).toEqual([{ line, ok: true, fields }]);
  expect(await readPieces(file, {}, 1)).toEqual([{ line, ok: true, fields }]);
  expect(await readPieces(file, {}, 1_000_000)).toEqual([{ line, ok: true, fields }]);
});

test('NDJSON is read in UTF-16 too', async () => {
  const record = { account: 'acme', payload: { body: 'Grüße 😀' } };
  const file = Buffer.from(`\ufeff${JSON.stringify(record)}\r\n${JSON.stringify(record)}`, 'utf16le');
  expect(await readPieces(file)).toEqual([1, 2].map((line) => ({ line, ok: true, fields: record })));
});

describe('Windows-1252', () => {
  // Excel's plain "CSV" west of the Oder.
  const file = Buffer.from(`${head}\r\nacme,webhook,2027-01-31T09:00:00Z,https://x.test/h,Grüße \x80\r\n`, 'latin1');

  test('is refused by line and column, with what to do; the other lines are read', async () => {
    const [good, bad] = await readPieces(
      Buffer.concat([Buffer.from(`${head}\r\n${row}\r\n`), file.subarray(head.length + 2)]),
    );
    expect(good).toMatchObject({ ok: true, fields });
    expect(bad).toEqual({
      line: 3,
      ok: false,
      reason: expect.stringMatching(/^payload\.body: bytes that are not UTF-8; .*--encoding windows-1252/),
    });
  });

  test('is read when it is named', async () => {
    const [record] = await readPieces(file, { encoding: 'windows-1252' });
    expect(record).toMatchObject({ ok: true, fields: { payload: { body: 'Grüße €' } } });
  });

  test('is refused in NDJSON, and in the names of columns', async () => {
    const line = Buffer.from('{"account":"Gr\xfc"}\n{"account":"a"}\n', 'latin1');
    expect(await readPieces(line)).toMatchObject([
      { line: 1, ok: false },
      { line: 2, ok: true },
    ]);
    await expect(readPieces(Buffer.from(`${head},gr\xfcn\n`, 'latin1'))).rejects.toThrow(
      /line 1: bytes that are not UTF-8/,
    );
  });
});

test('half a character of UTF-16 is refused by line', async () => {
  const text = `${head}\r\n${row.replace('😀', '\ud83d')}\r\n${row}\r\n`;
  expect(await readPieces(Buffer.from(`\ufeff${text}`, 'utf16le'))).toMatchObject([
    { line: 2, ok: false, reason: expect.stringContaining('payload.body: bytes') },
    { line: 3, ok: true },
  ]);
});

test('ISO-2022-JP, which would pass as ASCII, is refused by line and column, and read when it is named', async () => {
  const file = Buffer.from(`${head}\nacme,webhook,1,https://x.test/h,\u001b$B%F\u001b(B\n`);
  expect(await readPieces(file)).toEqual([
    { line: 2, ok: false, reason: expect.stringMatching(/^payload\.body: .*ISO-2022.*--encoding iso-2022-jp/) },
  ]);
  expect(await readPieces(file, { encoding: 'iso-2022-jp' })).toMatchObject([
    { ok: true, fields: { payload: { body: 'テ' } } },
  ]);
});

test.each([
  ['PK\x03\x04…', /a spreadsheet or an archive \(\.xlsx.*export it as CSV/],
  ['\xd0\xcf\x11\xe0', /old Excel/],
  ['\x1f\x8b\x08', /gunzip/],
  ['account,channel\0\0due_at', /is no text/],
  ['\xff\xfe\0\0a\0\0\0', /UTF-32/],
])('a file that begins with %j is no text, and the answer says what to do', async (start, message) => {
  await expect(readPieces(Buffer.from(start, 'latin1'))).rejects.toThrow(message);
});

test.each([
  ['#REF!', 'payload.body: the spreadsheet shows "#REF!" in place of a value'],
  ['########', 'payload.body: the spreadsheet shows "########" in place of a value'],
  ['{“text”: “hi”}', 'payload.body: JSON in typographic quotes'],
])('a cell %s is refused', async (cell, reason) => {
  const [record] = await readPieces(`${head}\nacme,webhook,2027-01-31T09:00:00Z,https://x.test/h,${cell}\n`);
  expect(record).toEqual({ line: 2, ok: false, reason: expect.stringContaining(reason) });
});

describe('a number that the spreadsheet has rounded', () => {
  test.each(['payload.body', 'payload.body.id', 'payload.body.user.id', 'payload.headers.X-Id', 'payload.text'])(
    'is refused in %s, by line and column, with what to do',
    async (column) => {
      for (const cell of ['1.52483E+18', '1,52483E+18', '-4.91701E+11', '4E+12', '152.483E+15', ' 1.5E+15 ']) {
        const what = `${column}: ${JSON.stringify(cell.trim())} is a number that the spreadsheet has rounded`;
        const advice = 'format the column as text and enter it again, or write a small e if it is meant as it stands';
        expect(await readPieces(tableOf(column, cell))).toEqual([{ line: 2, ok: false, reason: `${what}; ${advice}` }]);
      }
    },
  );

  test.each([
    '1.5E+06',
    '6.02e23',
    '1e+18',
    '1.5E18',
    '2.5E-15',
    '1E5',
    'E+18',
    '1.5E+18 units',
    '1234E+18',
    '1524831183200260097',
  ])('is told from %s, which people or programs write', async (cell) => {
    const [record] = await readPieces(tableOf('payload.body.id', cell));
    expect(record).toMatchObject({ ok: true, fields: { payload: { body: { id: cell } } } });
  });

  test('is told from keys of hexadecimal digits', async () => {
    const keys = ['8e123456', '3E8', '1.00E+05', '1.00E-05'];
    const rows = keys.map((key) => `a,webhook,1,${key}\n`);
    const records = await readPieces(`account,channel,due_at,dedupe_key\n${rows.join('')}`);
    expect(records).toMatchObject([
      { fields: { dedupe_key: '8e123456' } },
      { fields: { dedupe_key: '3E8' } },
      { reason: expect.stringContaining('dedupe_key: "1.00E+05" is a number that the spreadsheet has rounded') },
      { reason: expect.stringContaining('dedupe_key: "1.00E-05" is a number that the spreadsheet has rounded') },
    ]);
  });
});

test.each([
  ['1.23457E+12,webhook,2027-01-31T09:00:00Z', 'account: "1.23457E+12" is a number that the spreadsheet has rounded'],
  ['acme,webhook,1.8E+12', 'due_at: "1.8E+12" is a number that the spreadsheet has rounded'],
  ['“acme”,webhook,2027-01-31T09:00:00Z', 'account: "“acme”" stands in typographic quotes'],
])('%s is refused', async (cells, reason) => {
  const [record] = await readPieces(`account,channel,due_at\n${cells}\n`);
  expect(record).toEqual({ line: 2, ok: false, reason: expect.stringContaining(reason) });
});

test('a value in a column without a name is refused, not dropped', async () => {
  expect(await readPieces('account,,channel,due_at\na,,webhook,1\na,oops,webhook,1\n')).toEqual([
    { line: 2, ok: true, fields: { account: 'a', channel: 'webhook', due_at: '1' } },
    { line: 3, ok: false, reason: 'column 2: holds "oops", and the first line gives it no name' },
  ]);
  expect(await readPieces('account,channel,due_at\na,webhook,1,oops\n')).toEqual([
    { line: 2, ok: false, reason: '4 columns, and the first line names 3' },
  ]);
});

test('a body is what --body makes of the same text: JSON where it is JSON', async () => {
  const bodies = ['"{""n"": 1}"', '"[1,2]"', 'hello', '"{not json}"', '[Reminder] hi', '42'];
  const table = bodies.map((body) => `acme,webhook,2027-01-31T09:00:00Z,https://x.test/h,${body}`);
  const records = await readPieces([head, ...table].join('\n'));
  expect(records.map((record) => record.ok && (record.fields['payload'] as { body: unknown }).body)).toEqual([
    { n: 1 },
    [1, 2],
    'hello',
    '{not json}',
    '[Reminder] hi',
    42,
  ]);
});
