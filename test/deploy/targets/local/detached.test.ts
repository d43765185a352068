import { supervisorArguments } from '../../../../deploy/targets/local/detached';
import { ownProgram } from '../../../../deploy/targets/local/program';

test('a supervisor that is detached leaves its workers at its end, and serves their status elsewhere, where that was asked for', () => {
  const args = [ownProgram(), 'supervisor', '--state', '/s'];
  expect(supervisorArguments({ folder: '/s' })).toEqual(args);
  expect(supervisorArguments({ folder: '/s', releaseWorkers: true })).toEqual([...args, '--release-workers']);
  expect(supervisorArguments({ folder: '/s', statusHost: '10.0.0.5' })).toEqual([...args, '--status-host', '10.0.0.5']);
});
