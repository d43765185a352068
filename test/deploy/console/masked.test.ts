import { masked } from '../../../deploy/console/masked';

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
