import { z } from 'zod';
import { type Client, createClient, type NewMessage, UserError } from '../../../connectors/mysql/client/client';
import { checkClientOptions } from '../../../connectors/mysql/client/client-options';
import { checkMessage } from '../../../connectors/mysql/client/input';
import { payloads } from '../../../topology/payloads/payloads';
import sms from '../../connectors/channels/loaded/example/downspout-sms';

const message = (payload: unknown, channel = 'sms'): NewMessage<string> => ({
  account: 'a',
  channel,
  payload,
  dueAt: Date.UTC(2027, 0, 1),
});

test('a client checks payloads of the channels that it was given', () => {
  const schemas = checkClientOptions({ channels: [sms] });
  expect(Object.keys(schemas)).toEqual([...Object.keys(payloads), 'sms']);
  const to = '+4915112345678';
  expect(checkMessage(message({ to, text: 'a' }), schemas)).toMatchObject({
    channel: 'sms',
    payload: `{"to":"${to}","text":"a"}`,
  });
  expect(() => checkMessage(message({ to: '0151', text: 'a' }), schemas)).toThrow(
    new UserError('payload.to: expected a number such as +4915112345678'),
  );
  expect(() => checkMessage(message({ to, text: 'a', from: 'b' }), schemas)).toThrow(
    /^payload: Unrecognized key: "from"/,
  );
  expect(checkMessage(message({ url: 'https://x.test' }, 'webhook'), schemas).channel).toBe('webhook');
});

const withMedia = (media: unknown) => message({ to: '+4915112345678', text: 'a', media });

test('a client refuses what no channel takes for an image, where the channel has images, whatever its schema says', () => {
  const anything = { ...sms, payload: sms.payload.extend({ media: z.any() }) };
  const schemas = checkClientOptions({
    channels: [{ ...anything, media: { types: ['image/png' as const], maxBytes: 1_000 } }],
  });
  for (const [media, text] of [
    [[{ file: '../secret.png' }], /^payload\.media\.0\.file: expected a path below/],
    [[{ url: 'no url' }], /^payload\.media\.0\.url: /],
    [[{}], /^payload\.media\.0: expected either url or file/],
    ['https://sms.test/a.png', /^payload\.media: /],
  ] as const) {
    expect(() => checkMessage(withMedia(media), schemas)).toThrow(text);
    expect(checkMessage(withMedia(media), checkClientOptions({ channels: [anything] })).channel).toBe('sms');
  }
  for (const media of [null, [], [{ file: 'shop/cup.png' }]]) {
    expect(checkMessage(withMedia(media), schemas).channel).toBe('sms');
  }
});

test('a payload of more values than a bolt reads in a moment is refused, but in the body of a webhook, which is not read', () => {
  const given = { ...sms, payload: z.strictObject({ blocks: z.unknown() }) };
  const schemas = checkClientOptions({ channels: [given] });
  const most = Array.from({ length: 9_998 }, () => []);
  expect(checkMessage(message({ blocks: most.slice(4_999) }), schemas).channel).toBe('sms');
  expect(() => checkMessage(message({ blocks: most }), schemas)).toThrow(
    new UserError('payload: expected at most 10000 arrays, objects and members of these'),
  );
  const body = Array.from({ length: 340_000 }, () => []);
  expect(checkMessage(message({ url: 'https://x.test', body }, 'webhook'), schemas).channel).toBe('webhook');
});

test('a client without it says that there is no such channel, and how to give it', () => {
  expect(() => checkMessage(message({}))).toThrow(
    /^channel: expected one of webhook.*, got "sms"\. A channel of a package is given to createClient\({channels: \[…\]}\)/,
  );
});

test('a schema of somebody else that throws, or that takes its time, refuses the payload', () => {
  const failing = sms.payload.refine(() => {
    throw new TypeError('no');
  });
  const waiting = sms.payload.refine(async () => true);
  for (const payload of [failing, waiting]) {
    const schemas = checkClientOptions({ channels: [{ ...sms, payload }] });
    expect(() => checkMessage(message({ to: '+4915112345678', text: 'a' }), schemas)).toThrow(
      /^payload: the schema of its channel fails: /,
    );
  }
});

test.each<[unknown, RegExp]>([
  [sms, /^channels: expected an array of channels, got a value of type object$/],
  [[{}], /^channels\[0\] is no channel: expected an object with interface, name and payload/],
  [[{ default: sms }], /^channels\[0\] is no channel/],
  [[sms, sms], /^channels\[1\]: the name sms is taken already/],
  [[{ ...sms, name: 'webhook' }], /^channels\[0\]: the name webhook is taken already/],
  [[{ ...sms, interface: 9 }], /^channels\[0\] was written for interface 9/],
])('what was given wrongly is named (%#)', (channels, text) => {
  expect(() => createClient('mysql://u@h/x', { channels } as never)).toThrow(text);
});

test('the types know the payloads of the channels that were given', () => {
  type Known = Client extends Client<infer K> ? keyof K : never;
  const own: Known = 'webhook';
  expect(own).toBe('webhook');
  const given = { interface: 1, name: 'pager', payload: z.strictObject({ text: z.string() }) } as const;
  const typed = (client: ReturnType<typeof createClient<readonly [typeof given, typeof sms]>>) => [
    () => client.schedule({ account: 'a', channel: 'pager', payload: { text: 'a' }, dueAt: 0 }),
    () => client.schedule({ account: 'a', channel: 'sms', payload: { to: '+4915112345678', text: 'a' }, dueAt: 0 }),
    () => client.schedule({ account: 'a', channel: 'webhook', payload: { url: 'https://x.test' }, dueAt: 0 }),
    // @ts-expect-error the payload is of another channel
    () => client.schedule({ account: 'a', channel: 'pager', payload: { url: 'https://x.test' }, dueAt: 0 }),
    // @ts-expect-error nobody gave this channel
    () => client.schedule({ account: 'a', channel: 'fax', payload: { text: 'a' }, dueAt: 0 }),
  ];
  expect(typed).toHaveLength(1);
});
