import { Readable } from 'node:stream';
import { Command } from 'commander';
import { parseRequest } from '../../../../../connectors/channels/webhook/webhook-request';
import { checkPayload } from '../../../../../connectors/mysql/client/input';
import {
  type ContentOptions,
  payloadOf,
  withContentOptions,
} from '../../../../../deploy/cli/verbs/messages/content-options';
import { readRecords } from '../../../../../deploy/cli/verbs/messages/import-source';

interface Content {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** As a person types it. */
  readonly body?: string;
}

const url = 'https://x.test/hook?a=1';
const contents: Content[] = [
  { url, body: 'hello' },
  { url, body: '  a text with blanks, "quotes"\nand lines ' },
  { url, body: ' \t blanks before and after\u00a0 ' },
  { url, body: '   ' },
  { url, body: 'lines\r\nof Windows\r\n' },
  { url, body: ' {"text": "hello"} ' },
  { url, body: '1.5e18 is a number' },
  { url, body: '{"text":"hello","n":1.5,"list":[1,null,true]}' },
  { url, body: '[1,2,3]' },
  { url, body: '42' },
  { url, body: '00420' },
  { url, body: 'null' },
  { url, body: '{"id":1790000000000000123}' },
  { url, body: '[9007199254740993,100000000000000000000,-999999999999999900000]' },
  { url, headers: { 'X-Tag': 'spring', 'Content-Type': 'text/plain; charset=utf-8' }, body: 'Grüße 😀' },
  { url },
];

const jsonText = (body: string): string => {
  try {
    JSON.parse(body);
    return body;
  } catch {
    return JSON.stringify(body);
  }
};
/** The payload's JSON, written by hand so that no number is changed. */
const sqlText = ({ headers, body }: Content): string =>
  [
    `{"url":${JSON.stringify(url)}`,
    ...(headers === undefined ? [] : [`,"headers":${JSON.stringify(headers)}`]),
    ...(body === undefined ? [] : [`,"body":${jsonText(body)}`]),
    '}',
  ].join('');
const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;

async function imported(file: string): Promise<unknown> {
  for await (const record of readRecords(Readable.from([Buffer.from(file)]))) {
    if (!record.ok) throw new Error(record.reason);
    return record.fields['payload'];
  }
  throw new Error('no record');
}

function typed(...args: string[]): ContentOptions {
  return withContentOptions(new Command('schedule')).parse(args, { from: 'user' }).opts();
}

/** The payload as each way in makes it of the same content. */
const ways: Readonly<Record<string, (content: Content) => unknown>> = {
  'the options of schedule': ({ headers = {}, body }) =>
    payloadOf(
      typed(
        '--url',
        url,
        ...Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]),
        ...(body === undefined ? [] : ['--body', body]),
      ),
      'webhook',
    ),
  '--payload': (content) => payloadOf(typed('--payload', sqlText(content)), 'webhook'),
  'columns of a table': ({ headers = {}, body = '' }) =>
    imported(
      [
        [
          'account',
          'channel',
          'due_at',
          'payload.url',
          ...Object.keys(headers).map((name) => `payload.headers.${name}`),
        ]
          .concat('payload.body')
          .join(';'),
        ['a', 'webhook', '1800000000000', url, ...Object.values(headers), body].map(quoted).join(';'),
      ].join('\r\n'),
    ),
  'columns without quotes': ({ headers = {}, body = '' }) => {
    // Quotes are needed where there is something to quote.
    const cell = /[";\r\n]|^\s*$/.test(body) ? quoted(body) : body;
    const names = ['account', 'channel', 'due_at', 'payload.url', 'payload.body'];
    return imported(
      [
        [...names, ...Object.keys(headers).map((name) => `payload.headers.${name}`)].join(';'),
        ['a', 'webhook', '1800000000000', url, cell, ...Object.values(headers).map(quoted)].join(';'),
        '',
      ].join('\n'),
    );
  },
  'a column of JSON': (content) =>
    imported(`account,channel,due_at,payload\na,webhook,1800000000000,${quoted(sqlText(content))}\n`),
  NDJSON: (content) => imported(`{"account":"a","payload":${sqlText(content)}}\n`),
};

describe.each(Object.entries(ways))('%s', (_, payloadBy) => {
  test.each([
    ['1e16', '10000000000000000'],
    ['1e20', '100000000000000000000'],
    ['9007199254740993.0', '9007199254740993'],
  ])('take the integer %s as what it is worth, though SQL keeps how it is written', async (written, digits) => {
    const stored = checkPayload('webhook', await payloadBy({ url, body: `{"n":${written}}` }));
    expect(parseRequest('a', stored)).toEqual(parseRequest('a', sqlText({ url, body: `{"n":${digits}}` })));
  });

  test.each(contents.map((content) => [content.body ?? '(no body)', content] as const))(
    'make the same request as plain SQL of %j',
    async (__, content) => {
      const stored = checkPayload('webhook', await payloadBy(content));
      expect(parseRequest('a', stored)).toEqual(parseRequest('a', sqlText(content)));
    },
  );
});
