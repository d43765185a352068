import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import {
  type ContentOptions,
  dueOf,
  payloadGiven,
  payloadOf,
  withContentOptions,
} from '../../../../../deploy/cli/verbs/messages/content-options';
import { payloadFields, payloads } from '../../../../../topology/payloads/payloads';

function typed(...args: string[]): ContentOptions {
  const command = withContentOptions(new Command('schedule'))
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return command.parse(args, { from: 'user' }).opts();
}

test('every field of every channel has an option, which names the channel', () => {
  const help = withContentOptions(new Command('schedule')).configureHelp({ helpWidth: 5_000 }).helpInformation();
  for (const [channel, schema] of Object.entries(payloads)) {
    for (const { option, placeholder } of payloadFields(schema)) {
      expect(help).toMatch(new RegExp(`--${option} <${placeholder.replace('|', String.raw`\|`)}> .*${channel}: `));
    }
  }
});

test('a payload is made of its fields as the schema types them', () => {
  const options = typed('--url', 'https://x.test', '--header', 'A: 1', '--header', 'B:2', '--body', '{"n":1}');
  expect(payloadGiven(options)).toBe('fields');
  expect(payloadOf(options, 'webhook')).toEqual({
    url: 'https://x.test',
    headers: { A: '1', B: '2' },
    body: { n: 1 },
  });
  expect(payloadOf(typed('--url', 'https://x.test', '--body', 'hello'), 'webhook')).toEqual({
    url: 'https://x.test',
    body: 'hello',
  });
  expect(payloadOf(typed('--url', 'https://x.test'), 'webhook')).toEqual({ url: 'https://x.test' });
});

test('a channel without options of its own takes --payload', () => {
  expect(payloadOf(typed('--payload', '{"text":"hi"}'), 'x')).toEqual({ text: 'hi' });
  expect(() => payloadOf(typed('--url', 'https://x.test'), 'x')).toThrow(
    '--url belongs to webhook; this message is of x. Use --payload.',
  );
});

test('a payload in two ways is refused, and none is none', () => {
  expect(() => payloadGiven(typed('--payload', '{}', '--body', 'x'))).toThrow(/in one way: .*--url/);
  expect(payloadGiven(typed('--in', '1h'))).toBe('not');
  expect(payloadOf(typed('--in', '1h'), 'webhook')).toBeUndefined();
  expect(() => payloadOf(typed('--payload', '{'), 'webhook')).toThrow(/--payload: not JSON/);
});

test('--in counts from the now of the database', async () => {
  const database = { now: async () => 1_900_000_000_000 };
  expect(await dueOf(typed('--in', '90s'), database)).toBe(1_900_000_090_000);
  expect(await dueOf(typed('--due', '2027-01-31T09:00:00Z'), database)).toBe('2027-01-31T09:00:00Z');
  expect(await dueOf(typed('--url', 'https://x.test'), database)).toBeUndefined();
  await expect(dueOf(typed('--in', '1h', '--due', '1'), database)).rejects.toThrow('Give --due or --in, not both.');
});

test('a header that is given twice is refused, because only one could count', () => {
  expect(() => typed('--header', 'X-A: 1', '--header', 'X-B: 1', '--header', 'X-A : 2')).toThrow(/X-A is given twice/);
});

test('a body of JSON whose quotes a shell has escaped is refused', () => {
  const body = String.raw`{\"text\":\"hi\"}`;
  expect(() => payloadOf(typed('--body', body), 'webhook')).toThrow(/JSON with its quotes written as \\"/);
  const text = String.raw`[see C:\"x\"]`;
  expect(payloadOf(typed('--body', text), 'webhook')).toEqual({ body: text });
});

describe('--payload-file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'downspout-payload-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const ofFile = (bytes: Buffer) => {
    const path = join(folder, 'payload.json');
    writeFileSync(path, bytes);
    return () => payloadOf(typed('--payload-file', path), 'webhook');
  };
  const text = '{\n"text":"café 😀"}';

  test.each([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${text}`)],
    ['UTF-16, as PowerShell writes it', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['UTF-16, big end first', Buffer.from(`\ufeff${text}`, 'utf16le').swap16()],
  ])('is read in %s', (_, bytes) => {
    expect(ofFile(bytes)()).toEqual({ text: 'café 😀' });
  });

  test.each([
    [
      'another encoding',
      Buffer.from('{\n"text":"caf\xe9"}', 'latin1'),
      /payload\.json: line 2 has bytes that are not UTF-8/,
    ],
    ['a cut character', Buffer.from(text).subarray(0, -3), /payload\.json: line 2 has bytes that are not UTF-8/],
    ['no text', Buffer.from('PK\x03\x04\0\0\0'), /payload\.json: it is no text/],
    ['no JSON', Buffer.from('\ufeff{'), /payload\.json: not JSON/],
  ])('is refused with its name for %s', (_, bytes, reason) => {
    expect(ofFile(bytes)).toThrow(reason);
  });
});

test('numbers are read exactly, and one that cannot be kept is refused', () => {
  const digits = '{"tweet":1524831183200260097}';
  expect(payloadOf(typed('--url', 'https://x.test', '--body', digits), 'webhook')).toMatchObject({
    body: { tweet: 1_524_831_183_200_260_097n },
  });
  expect(payloadOf(typed('--payload', digits), 'webhook')).toEqual({ tweet: 1_524_831_183_200_260_097n });
  const lost = '{"tweet":99999999999999999999}';
  expect(() => payloadOf(typed('--payload', lost), 'webhook')).toThrow(/^--payload: 99999999999999999999: this number/);
  expect(() => payloadOf(typed('--body', lost), 'webhook')).toThrow(/^99999999999999999999: this number/);
});

describe('the due time', () => {
  const NOW = Date.UTC(2031, 4, 6);
  const database = { now: async () => NOW };

  test("--in counts from the database's now, whatever this machine's clock says", async () => {
    expect(await dueOf(typed('--in', '90s'), database)).toBe(NOW + 90_000);
    expect(await dueOf(typed('--in', '2h'), database)).toBe(NOW + 7_200_000);
  });

  test('--due is taken as it was typed, and the database is not asked', async () => {
    const asked = { now: () => Promise.reject(new Error('was asked')) };
    expect(await dueOf(typed('--due', '2031-01-01T09:00:00Z'), asked)).toBe('2031-01-01T09:00:00Z');
    expect(await dueOf(typed(), asked)).toBeUndefined();
  });

  test('both are refused', async () => {
    await expect(dueOf(typed('--in', '1h', '--due', '2031-01-01T09:00:00Z'), database)).rejects.toThrow(
      'Give --due or --in, not both.',
    );
  });
});
