import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadedKind } from '../../../../connectors/channels/loaded/loaded-kind';
import { packageRoot } from '../../../../topology/settings/package';
import { FakeSms, NOBODY } from '../../../support/channels/fake-sms';
import { type ChannelWorld, channelBattery } from '../channel-battery';
import { batteryWorld, PlayedChannel } from '../played-channel';
import sms from './example/downspout-sms';

const TOKEN = 'token-of-the-shop';
const to = '+4915112345678';

const open = () => PlayedChannel.open(loadedKind(sms), new FakeSms({ [TOKEN]: 'shop' }), { token: TOKEN });

async function smsWorld(): Promise<ChannelWorld> {
  const world = await open();
  return batteryWorld(world, {
    payload: (text) => ({ to, text }),
    refused: { to: NOBODY, text: 'a' },
    // What its schema refuses is rejected when it is sent.
    bad: [['{', 'payload: not JSON']],
    secrets: [TOKEN],
  });
}

channelBattery('the example of docs/writing-a-channel.md', smsWorld);

let world: Awaited<ReturnType<typeof open>>;

beforeEach(async () => {
  world = await open();
});

afterEach(() => world.close());

test('docs/writing-a-channel.md has the whole example, as it is compiled and run here', () => {
  const page = readFileSync(join(packageRoot(), 'docs/writing-a-channel.md'), 'utf8');
  const example = readFileSync(join(packageRoot(), 'test/connectors/channels/loaded/example/downspout-sms.ts'), 'utf8');
  expect(page).toContain(`\`\`\`ts\n${example}\`\`\``);
});

test('a message goes out once under its key, and can be looked for', async () => {
  const attempt = { idempotencyKey: 'key-1' };
  expect(await world.lookUp({ to, text: 'a' }, attempt)).toEqual({ kind: 'absent' });
  const delivered = { kind: 'delivered', status: 201, receipt: 'm-1' };
  expect(await world.send({ to, text: 'a' }, attempt)).toEqual(delivered);
  expect(await world.send({ to, text: 'a' }, { ...attempt, inDoubt: true })).toEqual(delivered);
  expect(world.protocol.posts()).toEqual([{ id: 'm-1', key: 'key-1', to, text: 'a' }]);
  expect(await world.lookUp({ to, text: 'a' }, attempt)).toEqual({ kind: 'accepted' });
});

test('what the gateway answers becomes an outcome', async () => {
  expect(await world.send({ to: NOBODY, text: 'a' })).toEqual({
    kind: 'rejected',
    status: 422,
    reason: 'The gateway does not take the message (HTTP 422: {"error":"nobody has this number"})',
  });
  world.server.order({ do: 'throttle', afterMs: 3_000 });
  expect(await world.send({ to, text: 'a' })).toMatchObject({ kind: 'retry', status: 429, afterMs: 3_000 });
  world.server.order({ do: 'fail' });
  expect(await world.send({ to, text: 'a' })).toMatchObject({ kind: 'unknown', status: 503 });
  const without = await world.send({ to, text: 'a' }, {}, 'other');
  expect(without).toMatchObject({ kind: 'unusable', reason: expect.stringContaining('accounts set --channel sms') });
  world.set('wrong', { token: 'of-yesterday' });
  expect(await world.send({ to, text: 'a' }, {}, 'wrong')).toMatchObject({ kind: 'unusable', status: 401 });
});

test.each([
  [302, 'rejected'],
  [400, 'rejected'],
  [404, 'rejected'],
  [408, 'retry'],
  [409, 'unknown'],
  [425, 'retry'],
  [429, 'retry'],
  [500, 'unknown'],
  [502, 'unknown'],
])('an answer of status %i means what it means for every channel: %s', async (status, kind) => {
  expect(await world.send({ to: `+19990000${status}`, text: 'a' })).toMatchObject({ kind, status });
});

test.each<[object, string]>([
  [{ to: '0151', text: 'a' }, 'payload.to: expected a number such as +4915112345678'],
  [{ to, text: '' }, 'payload.text'],
  [{ to, text: 'a', from: 'b' }, 'payload: Unrecognized key'],
])('what its schema refuses is rejected without a request (%#)', async (payload, reason) => {
  const calls = world.server.calls.length;
  // Of an account without credentials too: its message does not wait for them.
  for (const account of ['shop', 'other']) {
    const outcome = await world.send(payload, {}, account);
    expect(outcome).toEqual({ kind: 'rejected', reason: expect.stringContaining(reason) });
  }
  expect(await world.lookUp(payload)).toEqual({ kind: 'unknown', reason: expect.stringContaining(reason) });
  expect(world.server.calls).toHaveLength(calls);
});

test('the gateway is asked whose credentials are', async () => {
  expect(await world.whoAmI({ token: TOKEN })).toEqual({ kind: 'ok', name: 'shop' });
  expect(await world.whoAmI({ token: 'of-yesterday' })).toMatchObject({ kind: 'no' });
});
