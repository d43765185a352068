import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient, type PayloadsOf } from '../../connectors/mysql/client/client';
import { FakeProvider } from '../../deploy/fakes/fake-provider';
import { systemClock } from '../../topology/core/clock';
import { packageRoot } from '../../topology/settings/package';
import sms from '../connectors/channels/loaded/example/downspout-sms';
import { FakeSms } from '../support/channels/fake-sms';
import { runCli, variablesOf } from '../support/stack/cli';
import { Deployment } from '../support/stack/deployment';
import { until } from '../support/until';

const TOKEN = 'token-of-the-shop';
const to = '+4915112345678';
const compiled = join(packageRoot(), 'dist/test/connectors/channels/loaded/example/downspout-sms.js');
/** JavaScript as nobody has checked it: the example under another name, whose code fails at every message. */
const broken = `
const { default: sms } = require(${JSON.stringify(compiled)});
module.exports = { ...sms, name: 'broken', payload: sms.payload.extend({}), credentials: sms.credentials.extend({}),
  send: () => { throw new TypeError('not what it seems'); } };`;

/** Workers find the channel of the example in their topology file, one whose code fails, and one that is not there. */
describe('a channel of a package, through the whole stack', () => {
  let folder: string;
  let protocol: FakeSms;
  let gateway: FakeProvider;
  let deployment: Deployment;
  let client: Client<PayloadsOf<readonly [typeof sms]>>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'downspout-package-'));
    writeFileSync(join(folder, 'broken.js'), broken);
    protocol = new FakeSms({ [TOKEN]: 'shop' });
    gateway = await FakeProvider.start(protocol, systemClock);
    const channels = JSON.stringify([compiled, join(folder, 'broken.js'), './not-there.js']);
    const settings = '{ timeout: 2s, backOff: 200ms, backOffMax: 1s }';
    const topology = `{ webhook: {}, sms: ${settings}, broken: ${settings} }\nchannels: ${channels}`;
    deployment = await Deployment.start(['due', 'webhook', 'sms', 'broken'], topology);
    client = createClient(deployment.world.environment.DATABASE_URL, { channels: [sms] });
  }, 120_000);

  afterAll(async () => {
    await client.close();
    await deployment.close();
    await gateway.close();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  const cli = (args: readonly string[], input?: string) =>
    runCli(args, {
      environment: {
        ...variablesOf(deployment.world.environment),
        DOWNSPOUT_TOPOLOGY: deployment.settings['DOWNSPOUT_TOPOLOGY'] as string,
        WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
      },
      ...(input === undefined ? {} : { input }),
    });

  it('its messages are scheduled from the client and the command line, and reach the provider once', async () => {
    for (const channel of ['sms', 'broken']) {
      const credentials = JSON.stringify({ server: gateway.url, token: TOKEN });
      expect(await cli(['accounts', 'set', 'shop', '--channel', channel], credentials)).toMatchObject({ code: 0 });
    }
    const tried = await cli(['accounts', 'test', 'shop', '--channel', 'sms']);
    expect(tried).toMatchObject({ code: 0, stdout: 'The credentials are those of shop.\n' });
    const shown = await cli(['accounts', 'show', 'shop', '--channel', 'sms']);
    expect(shown.stdout).toBe(`server: ${gateway.url}\ntoken: ***\n`);
    const { id } = await client.schedule({
      account: 'shop',
      channel: 'sms',
      payload: { to, text: 'from the client' },
      dueAt: systemClock.now(),
    });
    const typed = ['--account', 'shop', '--in', '1s', '--to-number', to, '--text', 'from the command line'];
    const scheduled = await cli(['messages', 'schedule', '--channel', 'sms', ...typed, '--json']);
    expect(scheduled).toMatchObject({ code: 0 });
    const { id: other } = JSON.parse(scheduled.stdout) as { id: number };
    await deployment.settled();
    expect(await client.get([id, other])).toEqual([
      expect.objectContaining({ state: 'delivered', receipt: 'm-1', attempts: 1 }),
      expect.objectContaining({ state: 'delivered', receipt: 'm-2', attempts: 1 }),
    ]);
    expect(protocol.posts()).toEqual([
      { id: 'm-1', key: deployment.keyOf(id), to, text: 'from the client' },
      { id: 'm-2', key: deployment.keyOf(other), to, text: 'from the command line' },
    ]);
  }, 60_000);

  it('a channel whose code fails keeps its own messages only, and says why', async () => {
    await deployment.sql.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('shop', 'broken', '{"to":"${to}","text":"a"}', ${systemClock.now()})`,
    );
    const failing = async () => {
      const [row] = await deployment.sql.rows<[string, string, number]>(
        "SELECT state, last_error, attempts FROM scheduled_messages WHERE channel='broken'",
      );
      return row;
    };
    await until('it was tried several times', async () => ((await failing())?.[2] ?? 0) > 2);
    expect(await failing()).toEqual(expect.arrayContaining(['send of the channel broken failed: not what it seems']));
    const payload = { to, text: 'beside it' };
    const { id } = await client.schedule({ account: 'shop', channel: 'sms', payload, dueAt: systemClock.now() });
    await until('the other channel goes on', async () => (await client.get(id))?.state === 'delivered');
    expect(deployment.processes.map(({ restarts }) => restarts)).toEqual([0, 0, 0, 0]);
  }, 60_000);

  it('every worker says at its start what it could not load', () => {
    for (const { logFile } of deployment.processes) {
      expect(readFileSync(logFile, 'utf8')).toContain('./not-there.js: there is no such file below');
    }
  });

  it('verify knows its class', async () => {
    await deployment.sql.run("DELETE FROM scheduled_messages WHERE channel='broken'");
    const { code, stdout } = await cli(['verify', '--json']);
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ messages: 3 })]);
  });
});
