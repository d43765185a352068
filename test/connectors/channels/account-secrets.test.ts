import { AccountSecrets } from '../../../connectors/channels/account-secrets';
import { Unavailable } from '../../../topology/core/errors';
import { ManualClock } from '../../support/manual-clock';

/** What the database answers; an error for an account, or for all of them. */
type Table = Map<string, readonly string[] | Unavailable>;

let clock: ManualClock;
let table: Table;
let isAway: boolean;
let asked: string[][];
let secrets: AccountSecrets<string>;

beforeEach(() => {
  clock = new ManualClock();
  table = new Map([['a', ['one']]]);
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
  expect(secrets.get('a')).toEqual({ value: 'one' });
  expect(secrets.get('b')).toEqual({ value: undefined });
  expect(secrets.get('c')).toBeUndefined();
  table.set('a', ['two', 'one']);
  await clock.advance(30_001);
  await secrets.load(['b', 'a']);
  expect(asked).toEqual([
    ['a', 'b'],
    ['b', 'a'],
  ]);
  expect(secrets.get('a')).toEqual({ value: 'two+one' });
});

describe('a secret that cannot be opened touches its account only:', () => {
  test('the others of the same query are read', async () => {
    table.set('bad', new Unavailable('bad cannot be read')).set('odd', ['unusable']);
    await secrets.load(['a', 'bad', 'odd', 'none']);
    expect(secrets.get('a')).toEqual({ value: 'one' });
    expect(secrets.get('none')).toEqual({ value: undefined });
    expect(secrets.get('bad')).toBeUndefined();
    await expect(secrets.ask('bad')).rejects.toThrow('bad cannot be read');
    await expect(secrets.ask('odd')).rejects.toThrow('it is unusable');
    expect(asked).toHaveLength(1);
  });

  test('the others keep up with what is set and revoked, however long the one stays so', async () => {
    table = new Map<string, readonly string[] | Unavailable>([['bad', new Unavailable('bad cannot be read')]]);
    await secrets.load(['a', 'bad']);
    expect(secrets.get('a')).toEqual({ value: undefined });
    table.set('a', ['new']);
    await clock.advance(86_400_000);
    await secrets.load(['a', 'bad']);
    expect(secrets.get('a')).toEqual({ value: 'new' });
  });

  test('it is asked for again after some seconds', async () => {
    table.set('bad', new Unavailable('bad cannot be read'));
    await expect(secrets.ask('bad')).rejects.toThrow(Unavailable);
    table.set('bad', ['mended']);
    await clock.advance(5_001);
    expect(await secrets.ask('bad')).toEqual({ value: 'mended' });
  });

  test('a secret that was readable before is not used in its place', async () => {
    await secrets.load(['a']);
    table.set('a', new Unavailable('sealed with another key'));
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
    expect(await secrets.ask('a')).toEqual({ value: 'one' });
    await expect(secrets.ask('b')).rejects.toThrow('the database is away');
  });

  test('otherwise the account is read again', async () => {
    await secrets.load(['a']);
    table.delete('a');
    await clock.advance(180_000);
    expect(secrets.get('a')).toEqual({ value: 'one' });
    await clock.advance(1);
    expect(secrets.get('a')).toBeUndefined();
    expect(await secrets.ask('a')).toEqual({ value: undefined });
  });
});

test('an account that many ask for is read once', async () => {
  const answers = await Promise.all(['a', 'a', 'a'].map((account) => secrets.ask(account)));
  expect(answers).toEqual([{ value: 'one' }, { value: 'one' }, { value: 'one' }]);
  expect(asked).toEqual([['a']]);
});
