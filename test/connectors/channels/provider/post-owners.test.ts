import { PostOwners } from '../../../../connectors/channels/provider/post-owners';
import type { Outcome } from '../../../../topology/message';

const search = (id: number) => ({ account: 'shop', id, notBefore: 0 });

async function deliver(owners: PostOwners, receipt: string, id: number): Promise<void> {
  const attempt = { account: 'shop', id };
  owners.begin(attempt);
  await owners.sent(attempt, Promise.resolve({ kind: 'delivered', receipt }));
}

test('No post is counted for two messages', async () => {
  const owners = new PostOwners('x', async () => new Set(['elsewhere']));
  await deliver(owners, 'sent', 1);
  expect(await owners.claimFirst(['sent', 'elsewhere'], search(2))).toBeUndefined();
  expect(await owners.claimFirst(['sent'], search(1))).toBe('sent');
  const both = await Promise.all([2, 3].map((id) => owners.claimFirst(['old', 'new'], search(id))));
  expect(both).toEqual(['old', 'new']);
  expect(await owners.claimFirst(['old', 'new'], search(4))).toBeUndefined();
  expect(await owners.claimFirst(['old', 'new'], search(3))).toBe('new');
});

test('a post belongs to nobody while another message of the account is being sent, whatever comes of that', async () => {
  const owners = new PostOwners('x', undefined);
  const resolvers: ((outcome: Outcome) => void)[] = [];
  const ends = new Promise<Outcome>((resolve) => {
    resolvers.push(resolve);
  });
  const attempt = { account: 'shop', id: 1 };
  owners.begin(attempt);
  const sent = owners.sent(attempt, ends);
  const postponed = { kind: 'postponed', reason: expect.stringContaining('is being sent') };
  expect(await owners.claimFirst(['new'], search(2))).toEqual(postponed);
  expect(await owners.claimFirst([], search(2))).toBeUndefined();
  expect(await owners.claimFirst(['other'], { ...search(2), account: 'other' })).toBe('other');
  resolvers[0]?.({ kind: 'delivered', receipt: 'new' });
  await sent;
  expect(await owners.claimFirst(['new'], search(2))).toBeUndefined();
  const next = { account: 'shop', id: 3 };
  owners.begin(next);
  await expect(owners.sent(next, Promise.reject(new Error('a bug')))).rejects.toThrow('a bug');
  expect(await owners.claimFirst(['next'], search(2))).toBe('next');
});

test('an attempt that was given back and ends now does not end the one that its message has by now', async () => {
  const owners = new PostOwners('x', undefined);
  const [givenBack, attempt] = [
    { account: 'shop', id: 1 },
    { account: 'shop', id: 1 },
  ];
  owners.begin(attempt);
  await owners.sent(givenBack, Promise.resolve('not_started'));
  const postponed = { kind: 'postponed', reason: expect.stringContaining('is being sent') };
  expect(await owners.claimFirst(['new'], search(2))).toEqual(postponed);
  await owners.sent(attempt, Promise.resolve({ kind: 'delivered', receipt: 'new' }));
  expect(await owners.claimFirst(['new'], search(2))).toBeUndefined();
});

test('a post belongs to nobody while another worker sends a message of the account', async () => {
  let written: ReadonlySet<string> | undefined;
  const owners = new PostOwners('x', async () => written);
  const postponed = { kind: 'postponed', reason: expect.stringContaining('is being sent') };
  expect(await owners.claimFirst(['new'], search(1))).toEqual(postponed);
  written = new Set(['new']);
  expect(await owners.claimFirst(['new'], search(1))).toBeUndefined();
});

test('the table is asked only for what this worker does not know', async () => {
  const table = jest.fn(async () => new Set<string>());
  const owners = new PostOwners('x', table);
  await deliver(owners, 'known', 1);
  await owners.claimFirst([], search(2));
  await owners.claimFirst(['known'], search(2));
  expect(table).not.toHaveBeenCalled();
  await owners.claimFirst(['known', 'new'], search(2));
  expect(table.mock.calls).toEqual([[{ channel: 'x', account: 'shop', id: 2, receipts: ['new'], notBefore: 0 }]]);
});

test('what was noted longest ago is forgotten, because the table has it', async () => {
  const owners = new PostOwners('x', undefined);
  for (let n = 0; n <= 10_000; n++) await deliver(owners, String(n), n);
  expect(await owners.claimFirst(['1'], search(-1))).toBeUndefined();
  expect(await owners.claimFirst(['0'], search(-1))).toBe('0');
});
