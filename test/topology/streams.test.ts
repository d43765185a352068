import { BadRecord } from '../../topology/core/errors';
import { due } from '../../topology/streams';

describe('the due stream', () => {
  const { codec, name } = due('webhook');

  it('comes back as it went', () => {
    const value = { id: 7, account: 'acme 🚀', channel: 'webhook', wakeAt: 1_800_000_000_000, version: 3 };
    expect(codec.decode(codec.encode(value))).toEqual(value);
    expect(name).toBe('due.webhook');
  });

  it.each([
    ['garbage', /not JSON/],
    ['null', /not an object/],
    ['{}', /id: expected an integer/],
    ['{"id":1,"account":2}', /account: expected a string, got 2/],
    ['{"id":1,"account":"a","channel":"c","wakeAt":"soon","version":1}', /wakeAt: expected an integer, got "soon"/],
  ])('refuses %s', (text, message) => {
    expect(() => codec.decode(Buffer.from(text))).toThrow(BadRecord);
    expect(() => codec.decode(Buffer.from(text))).toThrow(message);
  });
});
