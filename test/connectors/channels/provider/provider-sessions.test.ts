import { ProviderSessions } from '../../../../connectors/channels/provider/provider-sessions';

test('A session is opened, and renewed, once for all who want it meanwhile', async () => {
  const sessions = new ProviderSessions();
  let opened = 0;
  const open = async () => ({ number: ++opened });
  const [first, second] = await Promise.all([sessions.get('a', open), sessions.get('a', open)]);
  expect(first).toBe(second);
  const renewed = await Promise.all([1, 2, 3].map(() => sessions.renew('a', first as { number: number }, open)));
  expect(renewed).toEqual([{ number: 2 }, { number: 2 }, { number: 2 }]);
  expect(await sessions.renew('a', first as { number: number }, open)).toEqual({ number: 2 });
  expect(await sessions.get('b', open)).toEqual({ number: 3 });
});

test('what could not be opened is opened anew for the next', async () => {
  const sessions = new ProviderSessions();
  const refused = { kind: 'retry', reason: 'busy' } as const;
  expect(await sessions.get('a', async () => refused)).toBe(refused);
  expect(await sessions.get('a', async () => ({ number: 1 }))).toEqual({ number: 1 });
});
