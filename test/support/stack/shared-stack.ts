import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from '../../../connectors/mysql/sql/pool';
import { withLock } from '../../../deploy/stack/host/lock';
import { ownRecord, type ProcessRecord, stillRuns } from '../../../deploy/stack/host/processes';
import { NativeStack } from '../../../deploy/stack/native-stack';
import type { PartEvent } from '../../../deploy/stack/stack';
import { systemClock } from '../../../topology/core/clock';
import { readStackVariables } from '../../../topology/settings/environment';
import { packageRoot } from '../../../topology/settings/package';
import { makeTemplate } from './schema-copy';

/** The tests' own stack: it has nothing to do with the one that `downspout up` starts. */
export const testStackFolder = join(packageRoot(), '.downspout', 'test');

const usersFolder = join(testStackFolder, 'users');
const ownFile = join(usersFolder, `${process.pid}.json`);

/**
 * Starts the tests' stack with empty data, or joins the one that another run of the tests has started.
 */
export function joinStack(): Promise<void> {
  return locked(async () => {
    const stack = testStack();
    if (!hasUsers()) await stack.down(true, () => undefined);
    mkdirSync(usersFolder, { recursive: true });
    writeFileSync(ownFile, JSON.stringify(ownRecord()));
    await stack.up(print);
    const admin = String(testStackSettings()['ADMIN_DATABASE_URL']);
    await needNotLast(admin);
    await makeTemplate(admin);
  });
}

/** Each test makes dozens of tables, and the server of this stack is never killed: it need not wait for the disk. */
async function needNotLast(adminUrl: string): Promise<void> {
  const pool = Pool.open(adminUrl.replace(/[^/]*$/, 'mysql'), { clock: systemClock, size: 1 });
  try {
    await pool.run('SET GLOBAL innodb_flush_log_at_trx_commit=0, GLOBAL sync_binlog=0');
  } finally {
    await pool.close();
  }
}

/** What connects to it, by the names of variables. */
export function testStackSettings(): Readonly<Record<string, string>> {
  return JSON.parse(readFileSync(join(testStackFolder, 'env.json'), 'utf8')) as Record<string, string>;
}

/** Stops it when no other run uses it. Data and logs stay until the next start, to be looked at. */
export function leaveStack(): Promise<void> {
  return locked(async () => {
    rmSync(ownFile, { force: true });
    if (!hasUsers()) await testStack().down(false, () => undefined);
  });
}

function testStack(): NativeStack {
  return new NativeStack({ folder: testStackFolder, clock: systemClock, variables: testStackVariables() });
}

/** Variables of a stack of tests. The ports of `downspout up` may be fixed by the environment; tests take free ones. */
export function testStackVariables(): Readonly<Record<string, string>> {
  const { XDG_CACHE_HOME } = readStackVariables();
  return XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME };
}

/** Other runs of the tests that are alive; what dead ones left is removed. */
function hasUsers(): boolean {
  mkdirSync(usersFolder, { recursive: true });
  const files = readdirSync(usersFolder).map((name) => join(usersFolder, name));
  const dead = files.filter((file) => !stillRuns(JSON.parse(readFileSync(file, 'utf8')) as ProcessRecord));
  for (const file of dead) rmSync(file, { force: true });
  return files.length > dead.length;
}

function locked<T>(work: () => Promise<T>): Promise<T> {
  return withLock(join(testStackFolder, 'users.lock'), systemClock, () => undefined, work);
}

function print({ part, stage, text }: PartEvent): void {
  if (stage !== 'starting') process.stderr.write(`stack: ${part} ${text}\n`);
}
