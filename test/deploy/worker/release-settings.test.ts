import { settingsOf } from '../../../deploy/worker/release-settings';
import { readEnvironment } from '../../../topology/settings/environment';
import { ManualClock } from '../../support/manual-clock';
import { ScriptedMySql } from '../../support/mysql/scripted-mysql';
import { until } from '../../support/until';

test('a worker that MySQL does not let in waits for its release, and says what to do', async () => {
  const mysql = await ScriptedMySql.start();
  mysql.refusal = 1045;
  const clock = new ManualClock();
  const ending = new AbortController();
  const reasons: string[] = [];
  try {
    const asked = settingsOf(
      { settings: { releaseNumber: 7 }, environment: readEnvironment({}, { WORKER_DATABASE_URL: mysql.url }) },
      { clock, signal: ending.signal },
      (reason) => reasons.push(reason),
    );
    await until('it has waited twice', async () => {
      await clock.advance(1_000);
      return reasons.length >= 2;
    });
    expect(reasons[0]).toMatch(/^waits for release 7: MySQL: .*1045.*Check the user and password/);
    ending.abort();
    await clock.advance(0);
    expect(await asked).toBeNull();
  } finally {
    ending.abort();
    await mysql.close();
  }
});
