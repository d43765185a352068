import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(__dirname, '..');

/** Lints one made-up file as if it stood at `path`. */
function lint(path: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'downspout-lint-'));
  try {
    cpSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
    const { stdout } = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['.'], { cwd: folder, encoding: 'utf8' });
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const refused: [string, string][] = [
  ['topology/core/a.ts', `export { z } from 'zod';`],
  ['topology/core/a.ts', `export { readEnvironment } from '../settings/environment';`],
  ['topology/runtime/a.ts', `export { settle } from '../message';`],
  ['topology/runtime/a.ts', `export { Kafka } from 'kafkajs';`],
  ['spouts/a.ts', `export { runtime } from '../topology/runtime/worker';`],
  ['spouts/a.ts', `export { bolt } from '../bolts/send-bolt';`],
  ['bolts/a.ts', `export { pool } from '../connectors/mysql/sql/pool';`],
  ['bolts/a.ts', `export { request } from 'undici';`],
  ['connectors/kafka/a.ts', `export { createPool } from 'mysql2';`],
  ['connectors/kafka/a.ts', `export { pool } from '../mysql/pool';`],
  ['connectors/kafka/a.ts', `export { Kafka } from 'kafkajs';`],
  ['connectors/mysql/a.ts', `export { Kafka } from 'kafkajs';`],
  ['connectors/mysql/a.ts', `export { DueSpout } from '../../spouts/due-spout';`],
  ['connectors/channels/a.ts', `export { createPool } from 'mysql2';`],
  ['deploy/a.ts', `export { Kafka } from 'kafkajs';`],
  ['deploy/a.ts', `export { ManualClock } from '../test/support/manual-clock';`],
  ['spouts/a.ts', 'export const now = Date.now();'],
  ['bolts/a.ts', 'setTimeout(() => {}, 1);'],
  ['deploy/a.ts', 'process.exit(1);'],
  ['deploy/a.ts', `export const home = process.env['HOME'];`],
];

const allowed: [string, string][] = [
  ['spouts/a.ts', `export { BadRecord } from '../topology/core/errors';`],
  ['bolts/a.ts', `export { hash } from 'node:crypto';`],
  ['bolts/a.ts', `export { settle } from '../topology/message';`],
  ['connectors/mysql/a.ts', `import type { OpenRows } from '../../spouts/open-rows';\nexport type A = OpenRows;`],
  ['topology/main.ts', `export { pool } from '../connectors/mysql/sql/pool';`],
];

describe('the import rules', () => {
  it.each(refused)('refuse in %s: %s', (path, text) => {
    expect(lint(path, text)).toMatch(/no-restricted-(imports|globals|properties)|no-process-env/);
  });

  it.each(allowed)('allow in %s: %s', (path, text) => {
    expect(lint(path, text)).not.toMatch(/no-restricted|no-process-env/);
  });
});
