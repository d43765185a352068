import { readEnvironment } from '../../../topology/settings/environment';
import { Host } from './hosts';

/** Nobody listens there, so the supervisor waits for its database. */
const environment = readEnvironment({ WORKER_DATABASE_URL: 'mysql://u:p@127.0.0.1:1/d' }, {});

test('a host is cleared in good order, after its supervisor was killed, and again', async () => {
  const [living, killed] = [Host.start(environment), Host.start(environment)];
  const pids = [living, killed].map(({ supervisorPid }) => supervisorPid ?? 0);
  process.kill(killed.supervisorPid ?? 0, 'SIGKILL');
  await Promise.all([living.clear(), killed.clear(), living.clear()]);
  await killed.clear();
  expect(pids.filter(runs)).toEqual([]);
});

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
