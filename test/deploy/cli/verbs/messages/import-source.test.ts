import { Readable } from 'node:stream';
import { readRecords, type SourceForm } from '../../../../../deploy/cli/verbs/messages/import-source';
import type { SourceRecord } from '../../../../../deploy/cli/verbs/messages/source-record';
import { showJson } from '../../../../../topology/core/json-text';

/** The text in chunks of `size` bytes, so that every boundary falls somewhere awkward. */
async function read(text: string | Buffer, form: SourceForm = {}, size = 7): Promise<SourceRecord[]> {
  const bytes = Buffer.from(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
  const records: SourceRecord[] = [];
  for await (const record of readRecords(Readable.from(chunks), form)) records.push(record);
  return records;
}

describe('csv', () => {
  test('payload as JSON or as columns, quotes, line breaks and emoji', async () => {
    const [first] = await read(
      'account,channel,due_at,payload\na,webhook,2030-01-01T00:00:00Z,"{""url"":""https://x.test"",""body"":""😀\n2""}"\n',
    );
    expect(first).toMatchObject({ ok: false, reason: expect.stringContaining('payload: not JSON') });

    expect(
      await read(
        '\ufeffaccount,channel,due_at,dedupe_key,payload.url,payload.body,payload.headers.X-Tag\r\n' +
          'a,webhook,1893456000000,k1,https://x.test,"hello, ""you"" 😀\nsecond line",t\r\n' +
          'b,webhook,1893456000000,,https://x.test,,\r\n',
      ),
    ).toEqual([
      {
        line: 3,
        ok: true,
        fields: {
          account: 'a',
          channel: 'webhook',
          due_at: '1893456000000',
          dedupe_key: 'k1',
          payload: { url: 'https://x.test', body: 'hello, "you" 😀\nsecond line', headers: { 'X-Tag': 't' } },
        },
      },
      {
        line: 4,
        ok: true,
        fields: { account: 'b', channel: 'webhook', due_at: '1893456000000', payload: { url: 'https://x.test' } },
      },
    ]);
  });

  test('a bad line is a record with its number and reason; its neighbours are read', async () => {
    const records = await read(
      'account,channel,due_at,payload\na,webhook,1,\nb,webhook,1,,oops\nb,webhook\nc,"web"hook,2,\nd,webhook,3,"{""a"":1}"\n',
    );
    expect(records).toEqual([
      { line: 2, ok: true, fields: { account: 'a', channel: 'webhook', due_at: '1' } },
      { line: 3, ok: false, reason: '5 columns, and the first line names 4' },
      { line: 4, ok: false, reason: 'due_at: missing; the row has 2 columns, and the first line names 4' },
      { line: 5, ok: true, fields: { account: 'c', channel: '"web"hook', due_at: '2' } },
      { line: 6, ok: true, fields: { account: 'd', channel: 'webhook', due_at: '3', payload: { a: 1 } } },
    ]);
  });

  test('a quote that is never closed is reported where the record begins', async () => {
    const records = await read('account,channel,due_at\na,webhook,1\nb,"open,2\nc,webhook,3\n');
    expect(records).toEqual([
      expect.objectContaining({ line: 2, ok: true }),
      { line: 3, ok: false, reason: expect.stringContaining('not closed') },
    ]);
  });

  test.each([
    ['account,channel,dueat\n', /unknown column "dueat"/],
    ['account,channel\na,b\n', /column due_at is missing/],
    ['account,channel,due_at,payload,payload.url\n', /either the column payload/],
  ])('a wrong header %j is refused at once', async (text, reason) => {
    await expect(read(text)).rejects.toThrow(reason);
  });

  test('a column named __proto__ is only a field', async () => {
    const [record] = await read('account,channel,due_at,payload.__proto__.admin\na,webhook,1,yes\n');
    expect(record).toMatchObject({ ok: true });
    expect(({} as { admin?: string }).admin).toBeUndefined();
  });
});

describe('ndjson', () => {
  test('is recognised, and keeps U+2028 inside a line', async () => {
    const text = `{"account":"a","channel":"webhook","due_at":1,"payload":{"body":"x\u2028y"}}`;
    expect(await read(`${text}\n\n${text}`)).toEqual([
      { line: 1, ok: true, fields: JSON.parse(text) },
      { line: 3, ok: true, fields: JSON.parse(text) },
    ]);
  });

  test('that was put together of files with byte order marks is read', async () => {
    const records = await read('\ufeff{"account":"a"}\n\ufeff{"account":"b"}\n');
    expect(records.map((record) => record.ok && record.fields['account'])).toEqual(['a', 'b']);
  });

  test.each(['[{"account":"a"}]', '\n[\n  {"account":"a"}', '[]'])(
    '%j is an array, and the answer says what to do',
    async (text) => {
      await expect(read(text)).rejects.toThrow(/array of JSON. Write one object a line/);
    },
  );

  test('dueAt and dedupeKey are read as due_at and dedupe_key', async () => {
    expect(await read('{"dueAt":1,"dedupeKey":"k"}')).toEqual([
      { line: 1, ok: true, fields: { due_at: 1, dedupe_key: 'k' } },
    ]);
  });

  test('two names of one field are refused, because only one could count', async () => {
    expect(await read('{"due_at":1,"dueAt":2}\n{"localTime":"9","local_time":"9"}\n{"due_at":1}')).toEqual([
      { line: 1, ok: false, reason: 'due_at: given twice, as dueAt too' },
      { line: 2, ok: false, reason: 'local_time: given twice, as localTime too' },
      { line: 3, ok: true, fields: { due_at: 1 } },
    ]);
  });

  test.each([
    ['{"account":"a","account":"b","channel":"webhook"}', 'account: given twice'],
    ['{"due_at":1,"due_at":1}', 'due_at: given twice'],
    ['{"dueAt":1,"dueAt":2}', 'dueAt: given twice'],
    ['{"acc\\u006funt":"a" , "payload":{"account":1}, "account" : "b"}', 'account: given twice'],
    [
      `{"payload":1,${Array.from({ length: 20 }, (_, n) => `"k${n}":${n}`).join(',')},"payload":2}`,
      'k0: unknown field',
    ],
  ])('a field that is given twice is refused, because the last one would count: %s', async (text, reason) => {
    expect(await read(`{"account":"fine"}\n${text}\n`, { format: 'ndjson' })).toEqual([
      { line: 1, ok: true, fields: { account: 'fine' } },
      { line: 2, ok: false, reason: expect.stringContaining(reason) },
    ]);
  });

  test('the members of a payload are those of whoever wrote it, also where one is there twice', async () => {
    expect(await read('{"account":"a","payload":{"a":1,"a":2}}')).toEqual([
      { line: 1, ok: true, fields: { account: 'a', payload: { a: 2 } } },
    ]);
  });

  test('bad lines have a reason and do not stop the others', async () => {
    const records = await read('{"account":1\n[1]\n{"acount":"a"}\n{"account":"b"}\n', { format: 'ndjson' });
    expect(records.map((record) => (record.ok ? 'ok' : record.reason))).toEqual([
      expect.stringContaining('not JSON'),
      'not a JSON object',
      expect.stringContaining('acount: unknown field'),
      'ok',
    ]);
  });

  test.each(['constructor', '__proto__', 'toString'])('a field %s is one that nobody knows', async (name) => {
    expect(await read(`{"account":"a","${name}":{"x":1}}`)).toEqual([
      { line: 1, ok: false, reason: expect.stringMatching(`^${name}: unknown field`) },
    ]);
  });

  test('a line that is too long is bad and is not kept in memory', async () => {
    const records = await read(
      `{"account":"${'x'.repeat(9 * 1024 * 1024)}"}\n{"account":"b"}\n`,
      { format: 'ndjson' },
      65_536,
    );
    expect(records).toEqual([
      { line: 1, ok: false, reason: 'longer than 8388608 bytes' },
      { line: 2, ok: true, fields: { account: 'b' } },
    ]);
  });
});

test('nothing in, nothing out', async () => {
  expect(await read('')).toEqual([]);
});

test.each([
  ['account,channel,due_at,payload.url,payload.body\na,webhook,1,https://x.test,NUMBER\n', 2, 'payload.body: '],
  ['account,channel,due_at,payload\na,webhook,1,"{""n"":NUMBER}"\n', 2, 'payload: '],
  ['{"account":"a","channel":"webhook","due_at":1,"payload":{"n":NUMBER}}\n', 1, ''],
])('numbers are read exactly, and one that cannot be kept is a bad line: %j', async (text, line, field) => {
  const [kept] = await read(text.replace('NUMBER', '1524831183200260097'));
  expect(kept?.ok === true && showJson(kept.fields['payload'])).toContain('1524831183200260097');
  expect(await read(text.replace('NUMBER', '99999999999999999999'))).toEqual([
    { line, ok: false, reason: expect.stringContaining(`${field}99999999999999999999: this number cannot be kept`) },
  ]);
});
