import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createClient } from '../../connectors/mysql/client/client';
import { Pool } from '../../connectors/mysql/sql/pool';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import { packageRoot } from '../../topology/settings/package';
import { Receiver } from '../support/channels/receiver';
import { workerSettings } from '../support/stack/deployment';
import { FaultProxy } from '../support/stack/fault-proxy';
import { freshWorld, type World } from '../support/stack/stack';
import { until } from '../support/until';

const program = join(packageRoot(), 'dist', 'deploy', 'cli', 'downspout.js');

let world: World;
beforeAll(async () => {
  world = await freshWorld();
}, 120_000);
afterAll(() => world.close(), 60_000);

/** One worker of everything, with what it says on standard output. */
function startWorker(settings: Readonly<Record<string, string>>) {
  const args = [program, 'worker', '--component', 'due,webhook'];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], ...workerSettings(world.environment), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { text: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => void (said.text += String(piece)));
  return { child, said };
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

test('a worker whose MySQL is away at its start waits for it, and then delivers', async () => {
  const url = new URL(required(world.environment, 'WORKER_DATABASE_URL'));
  const proxy = await FaultProxy.start();
  const target = Number(url.port);
  // Nothing listens there.
  proxy.target = 1;
  url.host = `127.0.0.1:${proxy.port}`;
  const { child, said } = startWorker({ WORKER_DATABASE_URL: url.href });
  const receiver = await Receiver.start();
  const client = createClient(required(world.environment, 'DATABASE_URL'));
  try {
    await until('it says that it waits', () => said.text.includes('MySQL does not answer'));
    expect(child.exitCode).toBeNull();
    proxy.target = target;
    const payload = { url: receiver.url, body: 'late' };
    await client.schedule({ account: 'a', channel: 'webhook', dueAt: systemClock.now(), payload });
    await until('it delivers', () => receiver.journal.length === 1);
    child.kill('SIGTERM');
    expect(await ended(child)).toBe(0);
  } finally {
    child.kill('SIGKILL');
    await Promise.all([client.close(), receiver.close(), proxy.close()]);
  }
}, 90_000);

test('a worker of another deployment sends nothing from this database, and says what to do', async () => {
  const sql = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  const [before] = await sql.rows<[string]>('SELECT namespace FROM deployment');
  try {
    await sql.run("UPDATE deployment SET namespace='production'");
    const { child, said } = startWorker({});
    expect(await ended(child)).toBe(1);
    expect(said.text).toContain('namespace \\"production\\"');
    expect(said.text).toContain('downspout adopt');
  } finally {
    await sql.run(`UPDATE deployment SET namespace='${before?.[0]}'`);
    await sql.close();
  }
}, 60_000);
