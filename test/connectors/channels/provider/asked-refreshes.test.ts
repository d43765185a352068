import type { AskedRefresh } from '../../../../bolts/account-refreshes';
import { AskedRefreshes } from '../../../../connectors/channels/provider/asked-refreshes';
import { ManualClock } from '../../../support/manual-clock';

let answers: ((answer: AskedRefresh) => void)[];
let failures: ((error: Error) => void)[];
let asked: string[];
let refreshes: AskedRefreshes;

beforeEach(() => {
  [answers, failures, asked] = [[], [], []];
  refreshes = new AskedRefreshes('x', new ManualClock(), (_, account, generation) => {
    asked.push(`${account} ${generation}`);
    return new Promise((resolve, reject) => {
      answers.push(resolve);
      failures.push(reject);
    });
  });
});

test('messages of an account that are refused together ask once, and others for themselves', async () => {
  const all = [
    ...Array.from({ length: 200 }, () => refreshes.ask('shop', 1, '401')),
    refreshes.ask('shop', 2, '401'),
    refreshes.ask('other', 1, '401'),
  ];
  expect(asked).toEqual(['shop 1', 'shop 2', 'other 1']);
  for (const answer of answers) answer({ kind: 'asked' });
  const reason = "the account's credentials are being refreshed, because: 401";
  for (const refusal of await Promise.all(all)) expect(refusal).toEqual({ reason, isRefreshed: true });
});

test('a question that failed is asked again', async () => {
  const both = [refreshes.ask('shop', 1, '401'), refreshes.ask('shop', 1, '401')];
  failures[0]?.(new Error('away'));
  const reason = '401; a refresh could not be asked for: away';
  expect(await Promise.all(both)).toEqual([
    { reason, isRefreshed: true },
    { reason, isRefreshed: true },
  ]);
  void refreshes.ask('shop', 1, '401');
  expect(asked).toEqual(['shop 1', 'shop 1']);
});
