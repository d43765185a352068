import type { ChannelKind, WhoAmI } from '../../../../../connectors/channels/channel-kind';
import type { VerbContext } from '../../../../../deploy/cli/verb';
import { demandSameOwner, resumeText } from '../../../../../deploy/cli/verbs/accounts/common';

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

const stay = (count: number) =>
  ` ${count} suspended messages of the account stay suspended; \`downspout messages resume\` sends them.`;

test('what is said of suspended messages tells those that go out from those that a person has kept back', () => {
  const all = { count: 102, kept: 100, exact: true };
  expect(resumeText(all, 'resuming')).toBe(
    ` 2 suspended messages of the account will go out, the earliest due first.${stay(100)}`,
  );
  expect(resumeText(all, 'usable')).toBe(stay(102));
  expect(resumeText({ ...all, kept: 0 }, 'resuming')).not.toContain('stay');
  expect(resumeText({ count: 0, kept: 0, exact: true }, 'resuming')).toBe('');
});
