import { Random } from '../../../../support/random';
import { readPieces } from './read-pieces';

const head = 'account,channel,due_at,payload.url,payload.body';
const start = 'acme,webhook,1,https://x.test/h';
const fields = {
  account: 'acme',
  channel: 'webhook',
  due_at: '1',
  payload: { url: 'https://x.test/h', body: 'hello' },
};
const row = `${start},hello`;

describe('blanks at the ends of a cell', () => {
  test.each([
    ['"  two lines\n "', '  two lines\n '],
    ['  no quotes  ', '  no quotes  '],
    ['\t\u00a0tab', '\t\u00a0tab'],
    ['"  "', '  '],
    ['  "quoted"  ', 'quoted'],
    ['  "say ""hi"", you" ', 'say "hi", you'],
    ['  a "b" c', '  a "b" c'],
    ['"a" b ', '"a" b '],
    ['"a" "b"', '"a" "b"'],
  ])('are part of a text: %j', async (cell, body) => {
    for (const size of [1, 2, 3, 5, 1_000]) {
      const file = `${head},dedupe_key\n${start},${cell},k\n${start},${cell}\n`;
      expect(await readPieces(file, {}, size)).toMatchObject([
        { ok: true, fields: { payload: { body }, dedupe_key: 'k' } },
        { ok: true, fields: { payload: { body } } },
      ]);
      expect(await readPieces(`${head}\r\n${start},${cell}`, {}, size)).toMatchObject([
        { fields: { payload: { body } } },
      ]);
    }
  });

  test('are nothing where there is nothing else and no quotes', async () => {
    const records = await readPieces(`${head},dedupe_key\n${start},  ,\t\n${start},  ,  \n${start},, `);
    expect(records).toEqual(
      [2, 3, 4].map((line) => ({ line, ok: true, fields: { ...fields, payload: { url: 'https://x.test/h' } } })),
    );
  });

  test('separate nothing where tabs do', async () => {
    const file = `${head}\n acme\twebhook\t1\thttps://x.test/h\t "hello" \n`
      .replaceAll(',', '\t')
      .replace(' acme', 'acme');
    expect(await readPieces(file)).toEqual([{ line: 2, ok: true, fields }]);
    expect(await readPieces(`${head}\n${row}`.replaceAll(',', '\t').replace('hello', '\thello'))).toMatchObject([
      { ok: false, reason: '6 columns, and the first line names 5' },
    ]);
  });

  test('are text when there are more of them than are kept back', async () => {
    const blanks = ' '.repeat(200_000);
    expect(await readPieces(`${head}\n${start},${blanks}x\n`, {}, 30_000)).toMatchObject([
      { fields: { payload: { body: `${blanks}x` } } },
    ]);
  });

  test.each(['"k "', 'k ', ' k', '" k"', '"k\n"', 'k\u00a0', '"  "'])(
    'are refused in a key and in an account, which would be another one without them: %j',
    async (cell) => {
      const value = JSON.stringify(cell.replaceAll('"', ''));
      const reason = `${value} begins or ends with blanks, and would be another one than without them`;
      const line = cell.includes('\n') ? 3 : 2;
      expect(await readPieces(`dedupe_key,account,channel,due_at\n${cell},a,webhook,1\n`)).toEqual([
        { line, ok: false, reason: expect.stringContaining(`dedupe_key: ${reason}`) },
      ]);
      expect(await readPieces(`dedupe_key,account,channel,due_at\nk,${cell},webhook,1\n`)).toEqual([
        { line, ok: false, reason: expect.stringContaining(`account: ${reason}`) },
      ]);
    },
  );

  test.each([
    ['k\u200b', '"k\\u{200b}" holds characters that cannot be seen'],
    ['\u200ek', '"\\u{200e}k" holds characters that cannot be seen'],
    ['\ufeffk', '"\\u{feff}k" begins or ends with blanks'],
    ['k\u{e0001}', '"k\\u{e0001}" holds characters that cannot be seen'],
    ['a\0b', '"a\\u0000b" holds characters that cannot be seen'],
    ['="00123"', '"=\\"00123\\"" is a formula; write what stands in its quotes alone'],
    ['"=""00123"""', '"=\\"00123\\"" is a formula; write what stands in its quotes alone'],
  ])('and what nobody sees are refused in a key and in an account: %j', async (cell, reason) => {
    const rows = 'k,a,webhook,1\n'.repeat(100);
    for (const [name, cells] of [
      ['dedupe_key', `${cell},a,webhook,1`],
      ['account', `k,${cell},webhook,1`],
    ]) {
      const records = await readPieces(`dedupe_key,account,channel,due_at\n${rows}${cells}\n`);
      const expected = { line: 102, ok: false, reason: expect.stringContaining(`${name}: ${reason}`) };
      expect(records.at(-1)).toEqual(expected);
    }
  });

  test('and the flag of England, which ends with such a character, is seen', async () => {
    const england = '\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}';
    const [first] = await readPieces(`dedupe_key,account,channel,due_at\nk,${england},webhook,1\n`);
    expect(first).toMatchObject({ ok: true, fields: { account: england } });
  });

  test('and joiners within a word are a part of it', async () => {
    const [first] = await readPieces('dedupe_key,account,channel,due_at\nمی\u200cخواهم,a,webhook,1\n');
    expect(first).toMatchObject({ ok: true, fields: { dedupe_key: 'می\u200cخواهم' } });
  });

  test('keep keys apart in NDJSON', async () => {
    const records = await readPieces('{"account":"a","dedupe_key":"k"}\n{"account":"a","dedupe_key":"k "}\n');
    expect(records.map((record) => record.ok && record.fields['dedupe_key'])).toEqual(['k', 'k ']);
  });

  test('do not count in names, times, zones and channels', async () => {
    expect(await readPieces('account , channel, due_at ,zone\na, webhook , 1 , Europe/Berlin\n')).toEqual([
      { line: 2, ok: true, fields: { account: 'a', channel: 'webhook', due_at: '1', zone: 'Europe/Berlin' } },
    ]);
  });
});

describe('a row with fewer cells than names, as Excel writes it where the last ones are empty', () => {
  const long = `${head},payload.headers.X-Tag,dedupe_key`;

  test('is read when what is missing is optional', async () => {
    const tagged = { ...fields, payload: { ...fields.payload, headers: { 'X-Tag': 'tag' } } };
    expect(await readPieces(`${long}\n${row},tag,k1\n${row}\n${row},tag\n,,\n${start}\n`)).toEqual([
      { line: 2, ok: true, fields: { ...tagged, dedupe_key: 'k1' } },
      { line: 3, ok: true, fields },
      { line: 4, ok: true, fields: tagged },
      { line: 6, ok: true, fields: { ...fields, payload: { url: 'https://x.test/h' } } },
    ]);
  });

  test('is refused by what it cannot do without', async () => {
    const names = 'account,channel,payload.body,due_at,payload.url';
    const records = await readPieces(`${names}\na,webhook,hi\na,webhook,hi,1\na\n`);
    expect(records.map((record) => (record.ok ? 'ok' : `${record.line} ${record.reason}`))).toEqual([
      '2 due_at: missing; the row has 3 columns, and the first line names 5',
      '3 payload.url: missing; the row has 4 columns, and the first line names 5',
      '4 channel: missing; the row has 1 columns, and the first line names 5',
    ]);
    expect(await readPieces('account,channel,due_at,payload\na,webhook,1\n')).toMatchObject([
      { ok: false, reason: expect.stringMatching(/^payload: missing/) },
    ]);
  });

  test('is refused where the file ends within it, because more may be missing', async () => {
    const file = `${long}\n${row}\n${row.slice(0, -3)}`;
    expect(await readPieces(file)).toEqual([
      { line: 2, ok: true, fields },
      { line: 3, ok: false, reason: expect.stringContaining('the file ends within this row') },
    ]);
    expect(await readPieces(`${file}\n`)).toMatchObject([{ ok: true }, { ok: true }]);
    expect(await readPieces(`${file}\r`)).toMatchObject([{ ok: true }, { ok: true }]);
    // What was cut is the quoted text here.
    expect(await readPieces(`${file}\n${start},"hel`)).toMatchObject([
      { ok: true },
      { ok: true },
      { line: 4, ok: false },
    ]);
  });
});

describe('quotes that were written with backslashes', () => {
  const [backslash, two] = ['\\', '""'];

  test.each([
    `"{${backslash}"a${backslash}":1}"`,
    `"say ${backslash}"hi${backslash}""`,
    `"one\ntwo ${backslash}"hi${backslash}" three"`,
    `"${backslash}" x"`,
  ])('are refused by line: %s', async (cell) => {
    const path = `"C:${backslash}"`;
    const json = `"{${two}a${two}:${two}${backslash}${two}${two}}"`;
    const records = await readPieces(`${head}\r\n${start},${cell}\r\n${start},${path}\r\n${start},${json}\r\n`, {}, 1);
    const line = cell.includes('\n') ? 3 : 2;
    expect(records).toEqual([
      { line, ok: false, reason: 'quotes are written as \\"; CSV doubles them: ""' },
      { line: line + 1, ok: true, fields: { ...fields, payload: { url: 'https://x.test/h', body: 'C:\\' } } },
      { line: line + 2, ok: true, fields: { ...fields, payload: { url: 'https://x.test/h', body: { a: '"' } } } },
    ]);
  });

  test('are refused in JSON without quotes around it', async () => {
    expect(await readPieces(`${head}\n${start},{${backslash}"a${backslash}":1}\n`)).toEqual([
      { line: 2, ok: false, reason: expect.stringMatching(/^payload\.body: JSON with its quotes written as \\"/) },
    ]);
  });
});

test.each([
  ['payload.body', 'x', 'payload.body.id', '1'],
  ['payload.body.id', '1', 'payload.body', 'x'],
  ['payload.body.id', '1', 'payload.body.id.n', '2'],
  ['payload.headers.X-A', '1', 'payload.headers', '"{""X-A"":""2""}"'],
  ['payload.headers', '"{""X-A"":""2""}"', 'payload.headers.X-A', '1'],
])(
  'a row that gives two values for one field, in %s as %s and in %s, is refused',
  async (first, one, second, other) => {
    const names = `account,channel,due_at,${first},${second}`;
    const records = await readPieces(
      `${names}\na,webhook,1,${one},${other}\na,webhook,1,${one},\na,webhook,1,,${other}\n`,
    );
    expect(records).toMatchObject([
      { line: 2, ok: false, reason: `${second}: two columns give a value for it; leave one of them empty` },
      { line: 3, ok: true },
      { line: 4, ok: true },
    ]);
  },
);

test('whatever a text is made of, it is read as it was written, in quotes or without where none are needed', async () => {
  const random = new Random(14);
  const parts = [' ', '\t', '"', ',', '\n', '\r\n', '\\', 'a', 'é', ';', '  x'];
  const bodies = Array.from({ length: 300 }, () =>
    Array.from({ length: random.integer(1, 8) }, () => random.pick(parts)).join(''),
  );
  const cells = bodies.map((body) =>
    /[",\r\n]/.test(body) || body.trim() === '' || random.chance(0.3) ? `"${body.replaceAll('"', '""')}"` : body,
  );
  const table = cells.map((cell) => `${start},${cell},k\r\n`).join('');
  for (const size of [1, 7, 100_000]) {
    // Below a field everything is text, JSON too.
    const records = await readPieces(`${head}.text,dedupe_key\r\n${table}`, {}, size);
    expect(records).toMatchObject(bodies.map((text) => ({ fields: { payload: { body: { text } } } })));
  }
});
