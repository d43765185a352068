import { masked, withoutPassword } from '../../../deploy/console/masked';

test('settings that are shown have no secret of any part', () => {
  const printed = masked({
    DATABASE_URL: 'mysql://downspout:hush@127.0.0.1:1/downspout?ssl-mode=REQUIRED',
    ADMIN_DATABASE_URL: 'mysql://root:hu%2Fsh@127.0.0.1:1/downspout',
    CONNECT_URL: 'http://connect:hush@127.0.0.1:2',
    KAFKA_BROKERS: '127.0.0.1:3',
    DOWNSPOUT_SECRET_KEY_FILE: '/home/me/.downspout/secret.key',
    DOWNSPOUT_SECRET_KEY: 'hush',
    KAFKA_SASL_PASSWORD: 'hush',
    CDC_PASSWORD_REFERENCE: '${env:CDC_PASSWORD}',
    HTTPS_PROXY: 'http://me:hush@proxy.test:3128',
  });
  expect(printed).toEqual({
    DATABASE_URL: 'mysql://downspout:***@127.0.0.1:1/downspout?ssl-mode=REQUIRED',
    ADMIN_DATABASE_URL: 'mysql://root:***@127.0.0.1:1/downspout',
    CONNECT_URL: 'http://connect:***@127.0.0.1:2',
    KAFKA_BROKERS: '127.0.0.1:3',
    DOWNSPOUT_SECRET_KEY_FILE: '/home/me/.downspout/secret.key',
    DOWNSPOUT_SECRET_KEY: '***',
    KAFKA_SASL_PASSWORD: '***',
    CDC_PASSWORD_REFERENCE: '${env:CDC_PASSWORD}',
    HTTPS_PROXY: 'http://me:***@proxy.test:3128',
  });
});

test.each([
  ['joe:geheim@proxy.example:3128', 'joe:***@proxy.example:3128'],
  ['//joe:geheim@proxy.example:3128', '//joe:***@proxy.example:3128'],
  ['HTTP://joe:geheim@proxy.example', 'HTTP://joe:***@proxy.example'],
  ['http:/joe:geheim@proxy.example', 'http:***@proxy.example'],
  ['http://:geheim@proxy.example', 'http://:***@proxy.example'],
  ['joe@corp:geheim@proxy.example:3128', 'joe@corp:***@proxy.example:3128'],
  ['mysql://joe:1/geheim@host/db', 'mysql://joe:***@host/db'],
  ['http://joe:a@geheim#?: x\ny@host/', 'http://joe:***@host/'],
  ['http://a:geheim@b:1,http://c:geheim@d:2', 'http://a:***@d:2'],
])('a password is shown in no form that may be one: %j', (place, shown) => {
  expect(withoutPassword(place)).toBe(shown);
});

test.each([
  'proxy.example:3128',
  '[::1]:3128',
  'http://proxy.example:3128/',
  'mysql://root@h:1/d',
  '127.0.0.1:1,127.0.0.1:2',
])('a place without a password is shown as it is: %s', (place) => {
  expect(withoutPassword(place)).toBe(place);
});

test('a password that stands where a reference is expected is not shown', () => {
  expect(masked({ CDC_PASSWORD_REFERENCE: 'geheim' })).toEqual({ CDC_PASSWORD_REFERENCE: '***' });
});
