import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { askPage } from '../../../deploy/inspect/http-part';

test('a page is asked as the user of its URL, whose password is not shown, also where it does not answer', async () => {
  const asked: (string | undefined)[] = [];
  const server = createServer(({ headers }, answer) => {
    asked.push(headers.authorization);
    answer.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await askPage(`http://joe:geh%3Aeim@${place}`)).toEqual({
    ok: true,
    detail: `http://joe:***@${place} answers 200`,
  });
  expect(await askPage(`http://${place}`)).toEqual({ ok: true, detail: `http://${place} answers 200` });
  expect(asked).toEqual([`Basic ${Buffer.from('joe:geh:eim').toString('base64')}`, undefined]);
  server.close();
  await once(server, 'close');
  const away = await askPage(`http://joe:geheim@${place}`);
  expect(away).toEqual({ ok: false, detail: expect.stringMatching(/^http:\/\/joe:\*\*\*@\S+: /) });
  expect(away.detail).not.toContain('geheim');
});
