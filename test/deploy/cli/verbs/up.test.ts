import { withoutPasswords } from '../../../../deploy/cli/verbs/up';

test('what up prints as JSON has no password of any part', () => {
  const printed = withoutPasswords({
    DATABASE_URL: 'mysql://downspout:hush@127.0.0.1:1/downspout?ssl-mode=REQUIRED',
    ADMIN_DATABASE_URL: 'mysql://root:hu%2Fsh@127.0.0.1:1/downspout',
    CONNECT_URL: 'http://connect:hush@127.0.0.1:2',
    KAFKA_BROKERS: '127.0.0.1:3',
    DOWNSPOUT_SECRET_KEY_FILE: '/home/me/.downspout/secret.key',
  });
  expect(printed).toEqual({
    DATABASE_URL: 'mysql://downspout@127.0.0.1:1/downspout?ssl-mode=REQUIRED',
    ADMIN_DATABASE_URL: 'mysql://root@127.0.0.1:1/downspout',
    CONNECT_URL: 'http://connect@127.0.0.1:2',
    KAFKA_BROKERS: '127.0.0.1:3',
    DOWNSPOUT_SECRET_KEY_FILE: '/home/me/.downspout/secret.key',
  });
});
