import { AccountSecrets } from '../../../connectors/channels/account-secrets';
import { Unavailable } from '../../../topology/core/errors';
import { ManualClock } from '../../support/manual-clock';

describe('account secrets', () => {
  test('both answers are believed for a short time, and asked for together', async () => {
    const clock = new ManualClock();
    const asked: string[][] = [];
    const secrets = new AccountSecrets(
      async (accounts) => {
        asked.push([...accounts]);
        return new Map([['a', `secret ${asked.length}`]]);
      },
      (secret) => secret,
      clock,
    );
    await secrets.load(['a', 'b', 'a']);
    await secrets.load(['a', 'b']);
    expect(asked).toEqual([['a', 'b']]);
    expect(secrets.get('a')).toMatchObject({ value: 'secret 1' });
    expect(secrets.get('b')).toMatchObject({ value: undefined });
    expect(secrets.get('c')).toBeUndefined();
    await clock.advance(30_001);
    await secrets.load(['b', 'a']);
    expect(asked).toEqual([
      ['a', 'b'],
      ['b', 'a'],
    ]);
    expect(secrets.get('a')).toMatchObject({ value: 'secret 2' });
  });

  test('one secret that cannot be opened holds up its own account only', async () => {
    const asked: string[][] = [];
    const secrets = new AccountSecrets(
      async (accounts) => {
        asked.push([...accounts]);
        if (accounts.includes('bad')) throw new Unavailable('bad cannot be read');
        return new Map();
      },
      (secret) => secret,
      new ManualClock(),
    );
    const together = secrets.load(['a', 'bad']);
    const alone = Promise.all([secrets.ensure('a'), secrets.ensure('a')]);
    await expect(together).rejects.toThrow('bad cannot be read');
    expect(await alone).toMatchObject([{ value: undefined }, { value: undefined }]);
    await expect(secrets.ensure('bad')).rejects.toThrow(Unavailable);
    expect(asked).toEqual([['a', 'bad'], ['a'], ['bad']]);
  });

  test('an old answer counts while no newer one can be had', async () => {
    const clock = new ManualClock();
    let away = false;
    const secrets = new AccountSecrets(
      async () => {
        if (away) throw new Unavailable('away');
        return new Map([['a', 'secret']]);
      },
      (secret) => secret,
      clock,
    );
    await secrets.load(['a']);
    away = true;
    await clock.advance(60_000);
    await expect(secrets.load(['a'])).rejects.toThrow(Unavailable);
    expect(secrets.get('a')).toMatchObject({ value: 'secret' });
  });
});
