import { AccountSecrets, type StoredAccount } from '../../../connectors/channels/account-secrets';
import { Unavailable } from '../../../topology/core/errors';
import { storedAs } from '../../support/channels/stored-accounts';
import { ManualClock } from '../../support/manual-clock';

/** What the database answers; an error for an account, or for all of them. */
type Table = Map<string, StoredAccount>;

const usable = { generation: 0, blocked: undefined };

let clock: ManualClock;
let table: Table;
let isAway: boolean;
let asked: string[][];
let secrets: AccountSecrets<string>;

beforeEach(() => {
  clock = new ManualClock();
  table = new Map([['a', storedAs(['one'])]]);
  isAway = false;
  asked = [];
  secrets = new AccountSecrets(
    async (accounts) => {
      asked.push([...accounts]);
      if (isAway) throw new Unavailable('the database is away');
      return new Map([...table].filter(([account]) => accounts.includes(account)));
    },
    (found) => {
      if (found.includes('unusable')) throw new Unavailable('it is unusable');
      return found.join('+');
    },
    clock,
  );
});

test('both answers are believed for a short time, and asked for together', async () => {
  await secrets.load(['a', 'b', 'a']);
  await secrets.load(['a', 'b']);
  expect(asked).toEqual([['a', 'b']]);
  expect(secrets.get('a')).toEqual({ ...usable, value: 'one' });
  expect(secrets.get('b')).toEqual({ ...usable, value: undefined });
  expect(secrets.get('c')).toBeUndefined();
  table.set('a', storedAs(['two', 'one']));
  await clock.advance(30_001);
  await secrets.load(['b', 'a']);
  expect(asked).toEqual([
    ['a', 'b'],
    ['b', 'a'],
  ]);
  expect(secrets.get('a')).toEqual({ ...usable, value: 'two+one' });
});

test('One statement is on the way at a time: thousands of accounts that are blocked, and due at one instant, cost a few', async () => {
  const accounts = Array.from({ length: 10_000 }, (_, n) => `account ${n}`);
  for (const account of accounts) table.set(account, { ...storedAs(['one']), blocked: 'revoked' });
  await secrets.load(accounts);
  expect(asked.map(({ length }) => length)).toEqual(Array.from({ length: 10 }, () => 1_000));
  await clock.advance(1_001);
  asked.length = 0;
  // Each slot asks for its own, when it is free.
  let [next, most, now] = [0, 0, 0];
  const slot = async () => {
    for (let account = accounts[next++]; account !== undefined; account = accounts[next++]) {
      most = Math.max(most, ++now);
      expect((await secrets.ask(account)).blocked).toBe('revoked');
      now--;
    }
  };
  await Promise.all(Array.from({ length: 250 }, slot));
  expect(most).toBe(250);
  expect(asked.flat().toSorted()).toEqual(accounts.toSorted());
  expect(asked.length).toBeLessThanOrEqual(60);
});

test('who is asked for while a question is on the way that has no answer is asked for after it', async () => {
  isAway = true;
  const first = secrets.load(['a']);
  const second = Promise.resolve().then(() => {
    isAway = false;
    return secrets.load(['b']);
  });
  await expect(first).rejects.toThrow(Unavailable);
  await second;
  expect(asked).toEqual([['a'], ['b']]);
  expect(secrets.get('b')).toEqual({ ...usable, value: undefined });
});

describe('a secret that cannot be opened touches its account only:', () => {
  test('the others of the same query are read', async () => {
    table.set('bad', storedAs(new Unavailable('bad cannot be read'))).set('odd', storedAs(['unusable']));
    await secrets.load(['a', 'bad', 'odd', 'none']);
    expect(secrets.get('a')).toEqual({ ...usable, value: 'one' });
    expect(secrets.get('none')).toEqual({ ...usable, value: undefined });
    expect(secrets.get('bad')).toBeUndefined();
    await expect(secrets.ask('bad')).rejects.toThrow('bad cannot be read');
    await expect(secrets.ask('odd')).rejects.toThrow('it is unusable');
    expect(asked).toHaveLength(1);
  });

  test('the others keep up with what is set and revoked, however long the one stays so', async () => {
    table = new Map([['bad', storedAs(new Unavailable('bad cannot be read'))]]);
    await secrets.load(['a', 'bad']);
    expect(secrets.get('a')).toEqual({ ...usable, value: undefined });
    table.set('a', storedAs(['new']));
    await clock.advance(86_400_000);
    await secrets.load(['a', 'bad']);
    expect(secrets.get('a')).toEqual({ ...usable, value: 'new' });
  });

  test('it is asked for again after some seconds', async () => {
    table.set('bad', storedAs(new Unavailable('bad cannot be read')));
    await expect(secrets.ask('bad')).rejects.toThrow(Unavailable);
    table.set('bad', storedAs(['mended']));
    await clock.advance(5_001);
    expect(await secrets.ask('bad')).toEqual({ ...usable, value: 'mended' });
  });

  test('a secret that was readable before is not used in its place', async () => {
    await secrets.load(['a']);
    table.set('a', storedAs(new Unavailable('sealed with another key')));
    await clock.advance(30_001);
    await secrets.load(['a']);
    expect(secrets.get('a')).toBeUndefined();
    await expect(secrets.ask('a')).rejects.toThrow('sealed with another key');
  });
});

describe('an answer older than some minutes is used only while the database is away:', () => {
  test('then it is, however old', async () => {
    await secrets.load(['a']);
    isAway = true;
    await clock.advance(86_400_000);
    expect(secrets.get('a')).toBeUndefined();
    expect(await secrets.ask('a')).toEqual({ ...usable, value: 'one' });
    await expect(secrets.ask('b')).rejects.toThrow('the database is away');
  });

  test('otherwise the account is read again', async () => {
    await secrets.load(['a']);
    table.delete('a');
    await clock.advance(180_000);
    expect(secrets.get('a')).toEqual({ ...usable, value: 'one' });
    await clock.advance(1);
    expect(secrets.get('a')).toBeUndefined();
    expect(await secrets.ask('a')).toEqual({ ...usable, value: undefined });
  });
});

test('an account that many ask for is read once', async () => {
  const answers = await Promise.all(['a', 'a', 'a'].map((account) => secrets.ask(account)));
  expect(answers.map(({ value }) => value)).toEqual(['one', 'one', 'one']);
  expect(asked).toEqual([['a']]);
});

describe('an account that may not be used', () => {
  test('is asked for again after a second, so that what a person says next is known soon', async () => {
    table.set('a', { ...storedAs(['one'], 4), blocked: 'refused' });
    expect(await secrets.ask('a')).toEqual({ value: 'one', generation: 4, blocked: 'refused' });
    await clock.advance(1_000);
    expect(secrets.get('a')).toMatchObject({ blocked: 'refused' });
    await clock.advance(1);
    expect(secrets.get('a')).toBeUndefined();
    table.set('a', storedAs(['two'], 5));
    expect(await secrets.ask('a')).toEqual({ value: 'two', generation: 5, blocked: undefined });
    expect(asked).toHaveLength(2);
  });

  test('is so although its secret cannot be opened: that is no reason to wait', async () => {
    table.set('a', { ...storedAs(new Unavailable('sealed with another key')), blocked: 'disabled' });
    expect(await secrets.ask('a')).toMatchObject({ value: undefined, blocked: 'disabled' });
  });

  test('is one without secrets, where nothing can be sent without', async () => {
    const needing = new AccountSecrets(
      async (accounts) => {
        asked.push([...accounts]);
        return table;
      },
      (found) => found.join('+'),
      clock,
      true,
    );
    expect((await needing.ask('none')).value).toBeUndefined();
    await clock.advance(1_001);
    table.set('none', storedAs(['set'], 1));
    expect((await needing.ask('none')).value).toBe('set');
    expect(asked).toHaveLength(2);
  });
});

test('what is distrusted is believed for a second, as a blocked account is', async () => {
  await secrets.load(['a']);
  secrets.distrust('a');
  await clock.advance(1_000);
  expect(secrets.get('a')).toMatchObject({ value: 'one' });
  await clock.advance(1);
  expect(secrets.get('a')).toBeUndefined();
  table.set('a', storedAs(['two'], 1));
  await secrets.load(['a']);
  await clock.advance(29_000);
  expect(secrets.get('a')).toMatchObject({ value: 'two', generation: 1 });
});

test('what has turned out to be wrong is forgotten, and asked for again', async () => {
  await secrets.load(['a']);
  table.set('a', storedAs(['two'], 1));
  secrets.forget('a');
  expect(await secrets.ask('a')).toEqual({ value: 'two', generation: 1, blocked: undefined });
});
