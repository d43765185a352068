import type { ChannelKind, WhoAmI } from '../../../../../connectors/channels/channel-kind';
import type { VerbContext } from '../../../../../deploy/cli/verb';
import { demandSameOwner } from '../../../../../deploy/cli/verbs/accounts/common';

const context = { settings: { environment: {} } } as VerbContext;

/** Whose credentials are is their text, unless it begins with `no`. */
const kind = {
  name: 'played',
  whoAmI: async (text: string): Promise<WhoAmI> =>
    text.startsWith('no') ? { kind: 'no', reason: 'revoked' } : { kind: 'ok', name: text },
} as unknown as ChannelKind;

test.each([
  ['of the same owner', '@shop', '@shop'],
  ['in the place of some that the provider does not take any more', 'no more', '@shop'],
])('credentials %s are rotated', async (_, stored, text) => {
  await expect(demandSameOwner(context, kind, { stored, text })).resolves.toBeUndefined();
});

test('credentials of somebody else are not rotated, and both owners are named', async () => {
  await expect(demandSameOwner(context, kind, { stored: '@shop', text: '@other' })).rejects.toThrow(
    'These credentials are of @other, those of the account of @shop',
  );
  await expect(demandSameOwner(context, kind, { stored: '@shop', text: 'no' })).rejects.toThrow('revoked');
});

test('where there is nobody to ask, all are rotated', async () => {
  const blind = { name: 'blind' } as ChannelKind;
  await expect(demandSameOwner(context, blind, { stored: 'a', text: 'b' })).resolves.toBeUndefined();
});
