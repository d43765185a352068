import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepOutput, plantedIn, plantedSecret } from './planted-secrets';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'planted-'));
  mkdirSync(join(folder, 'logs/deep'), { recursive: true });
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const secret = plantedSecret('mastodon', 'shop');
const inLogs = (text: string | Buffer) => writeFileSync(join(folder, 'logs/deep/worker.log'), text);

const base64 = (text: string) => Buffer.from(text).toString('base64');

test.each([
  ['as it is', secret],
  ['in a header', `authorization: Bearer ${secret}`],
  ['in JSON, in JSON', JSON.stringify({ body: JSON.stringify({ token: `"${secret}/"` }) })],
  ['in a URL', `https://a.test/?token=${encodeURIComponent(`1000:${secret}/"`)}`],
  ['in base64', base64(secret)],
  ['in base64, one byte later', base64(`:${secret}`)],
  ['in base64, two bytes later', base64(`\0shop\0a${secret}`)],
  ['as a login has it', base64(`\0shop\0${secret}`)],
  ['in base64 of URLs', Buffer.from(`{"secret":"${secret}"}`).toString('base64url')],
  ['in base64, in base64 of another place', `whsec_${base64(`${secret} of more than 24 letters`)}`],
  ['in hexadecimal digits', `X'${Buffer.from(secret).toString('hex')}'`],
  ['in large hexadecimal digits', Buffer.from(secret).toString('hex').toUpperCase()],
  ['among bytes that are no text', Buffer.concat([Buffer.alloc(100, 0xff), Buffer.from(secret), Buffer.alloc(100)])],
])('a planted secret is found %s', (_, text) => {
  inLogs(text);
  expect(plantedIn(folder)).toEqual([expect.stringContaining(join(folder, 'logs/deep/worker.log'))]);
});

test('it is found wherever it lies in a long file', () => {
  const readAtOnce = 8 * 1024 ** 2;
  for (const before of [readAtOnce - 10, readAtOnce, 2 * readAtOnce - 20]) {
    inLogs(Buffer.concat([Buffer.alloc(before, '.'), Buffer.from(secret), Buffer.alloc(readAtOnce, '.')]));
    expect(plantedIn(folder)).toHaveLength(1);
  }
});

test('what was kept of an output is looked at, and so is nothing that is no secret', () => {
  inLogs('token-of-the-shop PlantedSecret');
  keepOutput(folder, 'downspout accounts list', 'shop');
  expect(plantedIn(folder)).toEqual([]);
  keepOutput(folder, 'downspout accounts list', secret);
  expect(plantedIn(folder)).toEqual([expect.stringMatching(/outputs\.log: .*PlantedSecret7Q-mastodon-shop/)]);
});

test('without a stack nothing is kept', () => {
  keepOutput(join(folder, 'none'), 'downspout', secret);
  expect(plantedIn(folder)).toEqual([]);
});
