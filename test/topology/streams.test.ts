import { BadRecord } from '../../topology/core/errors';
import { due } from '../../topology/streams';

describe('the due stream', () => {
  const { codec, name } = due('webhook');

  it('comes back as it went', () => {
    const value = { id: 7, account: 'acme 🚀', channel: 'webhook', wakeAt: 1_800_000_000_000, version: 3 };
    expect(codec.decode(codec.encode(value))).toEqual(value);
    expect(name).toBe('due.webhook');
  });

  const fields = '"id":1,"account":"a","channel":"c","wakeAt":5,"version":2';
  const read = { id: 1, account: 'a', channel: 'c', wakeAt: 5, version: 2 };

  it('says its schema in each record, which workers from before that read too', () => {
    const { v, ...rest } = JSON.parse(codec.encode(read).toString()) as Record<string, unknown>;
    expect(v).toBe(1);
    expect(rest).toEqual(read);
  });

  it.each(['', ',"v":1', ',"v":2,"extra":{"a":1}', ',"v":3,"least":1'])('reads a record with %j', (schema) => {
    expect(codec.decode(Buffer.from(`{${fields}${schema}}`))).toEqual(read);
  });

  it('refuses a newer record that an older reader would misunderstand, and says what to deploy', () => {
    for (const least of ['2', '"x"', 'null']) {
      expect(() => codec.decode(Buffer.from(`{${fields},"v":3,"least":${least}}`))).toThrow(BadRecord);
    }
    const newer = Buffer.from('{"v":3,"least":2,"ids":[1]}');
    expect(() => codec.decode(newer)).toThrow(
      /^schema 3: it is read from schema 2 on, and this worker knows 1\. Deploy the version/,
    );
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
