import { z } from 'zod';
import { schemaOf } from '../../../topology/payloads/given-channel';
import { type ChannelName, parseBy, payloads } from '../../../topology/payloads/payloads';

/** Members that are read. */
let reads = 0;
/** The texts that patterns are tried on. */
let tries: jest.SpyInstance<unknown, [text: string]>[] = [];

beforeEach(() => {
  reads = 0;
  tries = [jest.spyOn(RegExp.prototype, 'exec'), jest.spyOn(RegExp.prototype, 'test')];
});
afterEach(() => jest.restoreAllMocks());

function watched<T extends object>(members: T): T {
  return new Proxy(members, {
    get: (target, name, self) => {
      if (Object.hasOwn(target, name) && name !== 'length') reads++;
      return Reflect.get(target, name, self);
    },
  });
}

/** Members that were read, and characters that patterns were tried on, since the last call. */
function work(): number {
  const characters = tries.flatMap(({ mock }) => mock.calls).reduce((sum, [text]) => sum + text.length, 0);
  const done = reads + characters;
  reads = 0;
  jest.clearAllMocks();
  return done;
}

const COUNT = 50_000;
const list = (member: unknown, count = COUNT) => watched(Array.from({ length: count }, () => member));
const map = (name: string, value: string, count = COUNT) =>
  watched(Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}${index}`, value])));
const many: Record<string, () => unknown> = {
  'a list of addresses': () => list('ann@example.com'),
  'a list of words': () => list('users'),
  'a list of images': () => list({ file: 'a.png' }),
  'a list of nothing': () => list(null),
  'a map of texts': () => map('x-', 'v'),
  'a map of numbers': () => map('', '1'),
  'a map of long texts': () => map('x-', 'v v'.repeat(20_000), 15),
  'a map of long names': () => map('x'.repeat(60_000), 'v', 15),
};
/** Given with the field that is tried, so that nothing else of it is wrong. */
const text = { text: 'a', subject: 'a', to: 'ann@example.com', url: 'https://example.com/' };
const ours = (Object.keys(payloads) as ChannelName[]).flatMap((channel) =>
  Object.keys(payloads[channel].shape).map((field) => [channel, field] as const),
);

describe('lists and maps are counted and measured before their members are looked at', () => {
  it.each(ours)('%s.%s', (channel, field) => {
    const { shape } = payloads[channel];
    const base = Object.fromEntries(Object.entries(text).filter(([name]) => name in shape && name !== field));
    for (const [what, make] of Object.entries(many)) {
      const given = make();
      work();
      const { ok } = parseBy(payloads[channel], { ...base, [field]: given });
      // A webhook's body may be anything, and nobody looks at it.
      expect([what, ok]).toEqual([what, `${channel}.${field}` === 'webhook.body']);
      const done = work();
      expect([what, done < 2_000 ? 'little work' : done]).toEqual([what, 'little work']);
    }
  });

  it('the images of a channel of a package', () => {
    const payload = z.strictObject({ media: z.unknown() });
    const schema = schemaOf({ interface: 1, name: 'own', payload, media: {} });
    expect(parseBy(schema, { media: list({ file: 'a.png' }) }).ok).toBe(false);
    expect(work()).toBeLessThan(2_000);
  });
});
