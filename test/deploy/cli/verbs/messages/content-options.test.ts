import { Command } from 'commander';
import {
  type ContentOptions,
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
