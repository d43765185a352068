import { binlogFaults } from '../../../../connectors/mysql/schema/binlog-settings';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase } from '../../../support/stack/stack';

const fit = {
  log_bin: 'ON',
  binlog_format: 'ROW',
  binlog_row_image: 'FULL',
  binlog_row_value_options: '',
  binlog_expire_logs_seconds: '2592000',
};

function faultsWith(settings: Readonly<Record<string, string>>): Promise<string[]> {
  return binlogFaults({ rows: async <T extends readonly unknown[]>() => Object.entries(settings) as unknown as T[] });
}

describe('the settings of the binlog', () => {
  it('are read from the server, by the user of the workers', async () => {
    const world = await freshDatabase();
    const pool = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 1 });
    expect(await pool.use(binlogFaults)).toEqual([]);
    await pool.close();
    await world.close();
  }, 30_000);

  it.each([
    [{ log_bin: 'OFF' }, 'log_bin is OFF: start the server with --log-bin'],
    [{ binlog_format: 'STATEMENT' }, 'binlog_format is STATEMENT: SET PERSIST binlog_format=ROW'],
    [{ binlog_row_image: 'MINIMAL' }, 'binlog_row_image is MINIMAL: SET PERSIST binlog_row_image=FULL'],
    [
      { binlog_row_value_options: 'PARTIAL_JSON' },
      "binlog_row_value_options is PARTIAL_JSON: SET PERSIST binlog_row_value_options=''",
    ],
    [{ binlog_expire_logs_seconds: '3600' }, 'binlog_expire_logs_seconds is 3600, less than a day: '],
  ])('that CDC cannot work with are named: %j', async (settings, fault) => {
    expect(await faultsWith({ ...fit, ...settings })).toEqual([expect.stringContaining(fault)]);
  });

  it('may keep the binlog for ever, and need not have what the server no longer has', async () => {
    expect(await faultsWith({ ...fit, binlog_expire_logs_seconds: '0' })).toEqual([]);
    expect(await faultsWith({ ...fit, binlog_expire_logs_seconds: '1', binlog_expire_logs_auto_purge: 'OFF' })).toEqual(
      [],
    );
    expect(await faultsWith({ log_bin: 'ON' })).toEqual([]);
  });
});
