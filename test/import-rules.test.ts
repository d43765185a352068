import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(__dirname, '..');

/** Made-up files, each as if it stood at its path: linted in one run, each in a folder of its own that has the rules. */
function lint(cases: readonly [path: string, text: string][]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'downspout-lint-'));
  try {
    for (const [index, [path, text]] of cases.entries()) {
      const file = join(folder, `case-${index}`, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      cpSync(join(root, '.oxlintrc.json'), join(folder, `case-${index}`, '.oxlintrc.json'));
    }
    const oxlint = join(root, 'node_modules/.bin/oxlint');
    const { stdout } = spawnSync(oxlint, ['--format=unix', '.'], { cwd: folder, encoding: 'utf8' });
    const found = cases.map(() => '');
    for (const line of stdout.split('\n')) {
      const index = /^(?:.*\/)?case-(\d+)\//.exec(line)?.[1];
      if (index !== undefined) found[Number(index)] += `${line}\n`;
    }
    return found;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const refused: [string, string][] = [
  ['topology/core/a.ts', `export { z } from 'zod';`],
  ['topology/core/a.ts', `export { readEnvironment } from '../settings/environment';`],
  ['topology/core/a.ts', `export { gauges } from '../gauges';`],
  ['topology/gauges.ts', `export { stream } from './core/stream';`],
  ['topology/message.ts', `export { parsePayload } from './payloads/payloads';`],
  ['topology/payloads/a.ts', `export { settle } from '../message';`],
  ['topology/settings/a.ts', `export { Worker } from '../runtime/worker';`],
  ['topology/delivery-topology.ts', `export { Worker } from './runtime/worker';`],
  ['topology/delivery-topology.ts', `export { Pool } from '../connectors/mysql/sql/pool';`],
  ['topology/runtime/a.ts', `export { settle } from '../message';`],
  ['topology/runtime/a.ts', `export { Kafka } from 'kafkajs';`],
  ['spouts/a.ts', `export { runtime } from '../topology/runtime/worker';`],
  ['spouts/a.ts', `export { bolt } from '../bolts/send-bolt';`],
  ['spouts/memory/a.ts', `import type { Emission } from '../emit/emission';\nexport type A = Emission;`],
  ['spouts/memory/a.ts', `export { Reconcile } from '../read/reconcile';`],
  ['spouts/read/a.ts', `export { Emission } from '../emit/emission';`],
  ['spouts/emit/a.ts', `export { Reconcile } from '../read/reconcile';`],
  ['spouts/emit/deep/a.ts', `export { Worker } from '../../../topology/runtime/worker';`],
  ['bolts/slots/a.ts', `export type { SendRow } from '../send-rows';`],
  ['bolts/slots/a.ts', `export type { HeldRow } from '../held-row';`],
  ['bolts/slots/a.ts', `export { Claimer } from '../claim/claimer';`],
  ['bolts/slots/a.ts', `export { settle } from '../../topology/message';`],
  ['bolts/send/a.ts', `export { Claimer } from '../claim/claimer';`],
  ['bolts/claim/a.ts', `export { SendBolt } from '../send-bolt';`],
  ['bolts/ready/a.ts', `export { Claimer } from '../claim/claimer';`],
  ['bolts/a.ts', `export { pool } from '../connectors/mysql/sql/pool';`],
  ['bolts/a.ts', `export { request } from 'undici';`],
  ['connectors/kafka/a.ts', `export { createPool } from 'mysql2';`],
  ['connectors/kafka/a.ts', `export { pool } from '../mysql/pool';`],
  ['connectors/kafka/a.ts', `export { Kafka } from 'kafkajs';`],
  ['connectors/mysql/a.ts', `export { Kafka } from 'kafkajs';`],
  ['connectors/mysql/sql/a.ts', `export { setUpTopics } from '../../kafka/topic-set-up';`],
  ['connectors/mysql/sql/a.ts', `export { migrate } from '../schema/migrate';`],
  ['connectors/mysql/schema/a.ts', `export { createClient } from '../client/client';`],
  ['connectors/mysql/workers/a.ts', `export { createClient } from '../client/client';`],
  ['connectors/mysql/operators/verify/a.ts', `export { Connector } from '../../../debezium/connector';`],
  ['connectors/mysql/a.ts', `export { DueSpout } from '../../spouts/due-spout';`],
  ['connectors/channels/a.ts', `export { createPool } from 'mysql2';`],
  ['connectors/channels/http/a.ts', `export { WebhookChannel } from '../webhook/webhook';`],
  ['connectors/debezium/a.ts', `export { request } from 'undici';`],
  ['deploy/stack/parts/a.ts', `export { program } from '../../cli/program';`],
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
  ['topology/core/a.ts', `import type { Gauges } from '../gauges';\nexport type A = Gauges;`],
  ['topology/delivery-topology.ts', `export { SendBolt } from '../bolts/send-bolt';`],
  ['spouts/read/a.ts', `export { Entries } from '../memory/entries';`],
  ['bolts/claim/a.ts', `export { SendSlots } from '../slots/send-slots';`],
  ['bolts/ready/a.ts', `export type { LimitGates } from '../send/limit-gates';`],
  ['bolts/slots/a.ts', `export { Heap } from '../../topology/core/heap';`],
  ['connectors/mysql/workers/a.ts', `export { Pool } from '../sql/pool';`],
  ['bolts/a.ts', `export { settle } from '../topology/message';`],
  ['connectors/mysql/a.ts', `import type { OpenRows } from '../../spouts/open-rows';\nexport type A = OpenRows;`],
  ['deploy/worker/a.ts', `export { Pool } from '../../connectors/mysql/sql/pool';`],
];

describe('the import rules', () => {
  const found = lint([...refused, ...allowed]);
  const cases = [...refused, ...allowed].map(([path, text], index) => [path, text, found[index] ?? ''] as const);

  it.each(cases.slice(0, refused.length))('refuse in %s: %s', (_path, _text, answer) => {
    expect(answer).toMatch(/no-restricted-(imports|globals|properties)|no-process-env/);
  });

  it.each(cases.slice(refused.length))('allow in %s: %s', (_path, _text, answer) => {
    expect(answer).not.toMatch(/no-restricted|no-process-env/);
  });
});
