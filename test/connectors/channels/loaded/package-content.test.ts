import { z } from 'zod';
import sms from './example/downspout-sms';
import { attempt, message, PackageWorld, type Tools, throwing } from './package-world';

let world: PackageWorld;

beforeEach(async () => {
  world = await PackageWorld.open();
});

afterEach(() => world.close());

describe('the schema of a package', () => {
  test('that throws has the message tried again, because it says nothing of the payload', async () => {
    const reason = 'payload: the schema of its channel fails: this is not what it seems';
    const failing = world.trial({ payload: sms.payload.refine(throwing) });
    expect(await failing.send(message)).toEqual({ kind: 'retry', reason });
    expect(await failing.lookup(message)).toEqual({ kind: 'unknown', reason });
    const late = world.trial({ payload: sms.payload.refine(async () => true) });
    expect(await late.send(message)).toEqual({
      kind: 'retry',
      reason: expect.stringContaining('schema of its channel'),
    });
  });

  test('is asked for a message that is claimed, and not before', async () => {
    const asked = jest.fn(() => true);
    const channel = world.built({ payload: sms.payload.refine(asked) });
    const prepared = channel.prepare('shop', JSON.stringify(message));
    expect(channel.originOf(prepared)).toBe('sms:shop');
    expect(asked).not.toHaveBeenCalled();
    expect(await channel.send(prepared, attempt())).toMatchObject({ kind: 'delivered' });
    expect(asked).toHaveBeenCalledTimes(1);
    await channel.lookup?.(prepared, { ...attempt(), inDoubt: true, notBefore: 0 });
    expect(asked).toHaveBeenCalledTimes(2);
  });
});

describe('images of a payload are what they are on every channel, whatever the schema of a package takes', () => {
  let files: unknown;
  const anything = {
    payload: sms.payload.extend({ media: z.any() }),
    send: async (_: unknown, tools: Tools) => {
      files = tools.files;
      return { kind: 'delivered' };
    },
  };
  const withImages = { ...anything, media: { types: ['image/png'], maxBytes: 1_000 } };

  test.each<[unknown, string]>([
    [[{ file: '../secret.png' }], 'payload.media.0.file: expected a path below'],
    [[{ file: 'a\0b' }], 'payload.media.0.file: expected a path below'],
    [[{ url: 'no url' }], 'payload.media.0.url: '],
    [[{ url: 'https://sms.test/a.png', alt: 7 }], 'payload.media.0.alt: '],
    [[{}], 'payload.media.0: expected either url or file'],
    ['https://sms.test/a.png', 'payload.media: '],
    [{ length: 1 }, 'payload.media: '],
  ])('%j is none', async (media, reason) => {
    const outcome = await world.trial(withImages).send({ ...message, media });
    expect(outcome).toEqual({ kind: 'rejected', reason: expect.stringContaining(reason) });
    // Where Downspout fetches none, the field is the package's own.
    expect(await world.trial(anything).send({ ...message, media })).toEqual({ kind: 'delivered' });
  });

  test('null is none', async () => {
    expect(await world.trial(withImages).send({ ...message, media: null })).toEqual({ kind: 'delivered' });
    expect(files).toEqual([]);
  });
});

test('what the schema of its credentials quotes of them is not kept with the message', async () => {
  const credentials = sms.credentials.extend({
    token: z
      .string()
      .refine(() => false, { error: ({ input }) => `no token: ${encodeURIComponent(`${String(input)} /`)}` }),
  });
  const channel = world.built({ credentials });
  expect(await channel.send(channel.prepare('shop', JSON.stringify(message)), attempt())).toEqual({
    kind: 'postponed',
    reason:
      "the account's credentials could not be read: its credentials cannot be used; set them again (token: not what the channel expects)",
  });
});
