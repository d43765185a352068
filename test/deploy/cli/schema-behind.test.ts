import { missingMigrations } from '../../../connectors/mysql/schema/rights-check';
import { requireSchema, schemaBehindOf } from '../../../connectors/mysql/schema/schema-behind';
import { SchemaBehind, UserError } from '../../../topology/core/errors';
import { ScriptedMySql } from '../../support/mysql/scripted-mysql';
import { runHere } from '../../support/stack/cli-here';

let mysql: ScriptedMySql;

beforeEach(async () => {
  mysql = await ScriptedMySql.start();
});

afterEach(() => mysql.close());

const NO_TABLE = 1146;
const DENIED = 1142;

test('what needs the newest schema says in one sentence what is missing and what brings it', async () => {
  // Without the journal nothing was ever migrated.
  mysql.denial = NO_TABLE;
  await expect(requireSchema(mysql.url)).rejects.toThrow(SchemaBehind);
  await expect(requireSchema(mysql.url)).rejects.toThrow(
    /^The schema of downspout lacks all of it, which Downspout \S+ needs for this: run `downspout deploy`, .* `downspout migrate`\. Nothing was changed\.$/,
  );
});

test('many migrations are named by the first and the last', async () => {
  // The journal that this server tells of ends with a migration of 1970.
  expect((await missingMigrations(mysql.url)).length).toBeGreaterThan(3);
  await expect(requireSchema(mysql.url)).rejects.toThrow(/lacks 0000_scheduled_messages to 00\d\d_\w+, which/);
});

test('who may not read the journal of migrations is not stopped by it', async () => {
  mysql.denial = DENIED;
  await expect(requireSchema(mysql.url)).resolves.toBeUndefined();
});

test('a failure that is not about a table or column that is missing stays what it is', async () => {
  const failure = new UserError('no bolt "webhok"');
  expect(await schemaBehindOf(mysql.url, failure)).toBe(failure);
  const ofSchema = new UserError('MySQL: …', { cause: { errno: NO_TABLE, sqlState: '42S02' } });
  expect(await schemaBehindOf(undefined, ofSchema)).toBe(ofSchema);
  const { url } = mysql;
  await mysql.close();
  expect(await schemaBehindOf(url, ofSchema)).toBe(ofSchema);
  mysql = await ScriptedMySql.start();
  expect(await schemaBehindOf(mysql.url, ofSchema)).toBeInstanceOf(SchemaBehind);
});

test.each([['history'], ['list'], ['ps'], ['pause webhook'], ['messages list']])(
  '%s ends with code 4 and that sentence where a table is missing, without what MySQL said',
  async (line) => {
    mysql.denial = NO_TABLE;
    const urls = { DATABASE_URL: mysql.url, WORKER_DATABASE_URL: mysql.url };
    const ran = await runHere(line.split(' '), urls);
    expect(ran).toMatchObject({ code: 4, stderr: expect.stringMatching(/lacks all of it, which Downspout/) });
    expect(ran.stderr).not.toContain(`no ${NO_TABLE}`);
  },
);
