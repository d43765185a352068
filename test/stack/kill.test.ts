import { hostname } from 'node:os';
import { until } from '../support/until';
import { Rolled } from './rolled';

// Every command is a process, and each of them sees a change come through CDC.
jest.setTimeout(600_000);

let rolled: Rolled;

beforeEach(async () => {
  rolled = await Rolled.start();
});
afterEach(async () => {
  await rolled.close();
}, 120_000);

const WORKERS = ['due-1', 'webhook-1'];

/** Every worker runs, and requests still come in. */
async function isSending(): Promise<void> {
  const names = (await rolled.running()).map((one) => one.split(' ')[0]);
  expect(names).toEqual(WORKERS);
  const before = rolled.receiver.journal.length;
  await until('messages are sent', async () => rolled.receiver.journal.length > before + 20, 60_000);
}

test('what kill has stopped is sent again after a deploy, wherever kill or the deploy was ended', async () => {
  rolled.topology('{ due: { replicas: 1, partitions: 2 }, webhook: { replicas: 1, partitions: 2 } }');
  expect(await rolled.deploy()).toMatchObject({ code: 0 });
  rolled.beginLoad(20);
  await isSending();

  // kill comes to its end.
  expect(await rolled.cli(['kill', '-w', '1', '--yes'])).toMatchObject({ code: 0 });
  expect(await rolled.running()).toEqual([]);
  expect(await rolled.deploy()).toMatchObject({ code: 0, stdout: expect.stringMatching(/is live\.\n$/) });
  await isSending();

  // kill dies in its wait, and nothing has changed for the deploy.
  await rolled.begin(['kill', '-w', '60', '--yes'], (line, child) => {
    if (line.startsWith('deactivated')) child.kill('SIGKILL');
  });
  expect((await rolled.cli(['status'])).stdout).toMatch(/^DEACTIVATED since \S+, by `downspout kill`/);
  expect(await rolled.deploy()).toMatchObject({ code: 0, stdout: expect.stringMatching(/is live already.*\n$/) });
  await isSending();

  // kill ends, and the deploy after it dies when its last worker runs.
  expect(await rolled.cli(['kill', '-w', '1', '--yes'])).toMatchObject({ code: 0 });
  await rolled.begin(rolled.deployArguments(), (line, child) => {
    if (line.includes('runs (2 of 2)')) child.kill('SIGKILL');
  });
  expect(await rolled.deploy()).toMatchObject({ code: 0, stdout: expect.stringMatching(/is live( already.*)?\.\n$/) });
  await isSending();

  // A signal ends kill with its code, and a person's pause outlasts a deploy, which says so.
  const code = await rolled.begin(['kill', '-w', '60', '--yes'], (line, child) => {
    if (line.startsWith('deactivated')) child.kill('SIGTERM');
  });
  expect(code).toBe(143);
  expect(await rolled.cli(['deactivate'])).toMatchObject({ code: 0 });
  expect(await rolled.deploy()).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/Everything is deactivated, and nothing is sent until `downspout activate`/),
  });
  expect(await rolled.cli(['activate'])).toMatchObject({ code: 0 });
  expect(await rolled.verdict()).toEqual([]);

  // What died could say nothing.
  const kill = { verb: 'kill', subject: 'all', before: { release: expect.any(Number), workers: 2 } };
  const after = { release: null, workers: 0 };
  expect(await rolled.audited('kill')).toEqual([
    { ...kill, after, outcome: 'done' },
    { ...kill, after, outcome: 'done' },
    { ...kill, after: null, outcome: 'interrupted by SIGTERM' },
  ]);

  expect(await rolled.stopSupervisor()).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/and 2 workers with it/),
  });
  const rows = async (verb: string) =>
    JSON.parse((await rolled.cli(['audit', '--verb', verb, '--json'])).stdout) as unknown[];
  expect(await rows('supervisor --stop')).toEqual([
    expect.objectContaining({ subject: hostname(), after: { supervisor: expect.any(Number), workers: 2 } }),
  ]);

  // One that a person leaves running is recorded, and one that runs already is not.
  const detached = await rolled.detachSupervisor();
  expect(detached).toMatchObject({ code: 0, stdout: expect.stringMatching(/^The supervisor runs/) });
  expect(await rolled.detachSupervisor()).toMatchObject({ stdout: expect.stringMatching(/runs already/) });
  expect(await rows('supervisor --detach')).toEqual([
    expect.objectContaining({ subject: hostname(), after: { pid: expect.any(Number) } }),
  ]);
});
