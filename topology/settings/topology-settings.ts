import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { reasonOf, UserError } from '../core/errors';
import { packageRoot } from './package';

const count = z.int().min(1);
const milliseconds = z.int().min(0);

const spoutSchema = z.strictObject({
  replicas: count.max(256).default(2),
  partitions: count.max(256).default(8),
  lead: milliseconds.max(60_000).default(2_000),
  reconcileInterval: milliseconds.min(100).default(2_000),
  maxPending: count.default(50_000),
  maxPendingPerAccount: count.default(1_000),
  maxEntries: count.default(200_000),
});

const boltSchema = z.strictObject({
  replicas: count.max(256).default(2),
  partitions: count.max(256).default(8),
  concurrency: count.max(10_000).default(256),
  perAccount: count.default(32),
  perHost: count.default(256),
  claimBatch: count.max(5_000).default(500),
  claimAheadMax: milliseconds.max(5_000).default(2_000),
  maxHeld: count.default(50_000),
  maxHeldBytes: count.default(128 * 1024 * 1024),
  timeout: milliseconds.min(100).default(10_000),
  attempts: count.max(1_000).default(12),
  backOff: milliseconds.default(1_000),
  backOffMax: milliseconds.default(3_600_000),
});
export type BoltSettings = Readonly<z.infer<typeof boltSchema>>;

const topologySchema = z.strictObject({
  components: z.object({ due: spoutSchema.prefault({}) }).catchall(boltSchema),
});
/** topology.yaml, with defaults filled in. A channel that is missing has no sender: its messages wait. */
export type TopologySettings = Readonly<z.infer<typeof topologySchema>>;

/**
 * Reads topology.yaml from `path`, from the current folder, or the one that comes with the package.
 * @throws UserError naming the file and the field
 */
export function readTopologySettings(path?: string): TopologySettings {
  const candidates =
    path === undefined ? [join(process.cwd(), 'topology.yaml'), join(packageRoot(), 'topology.yaml')] : [path];
  for (const [index, file] of candidates.entries()) {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      if (index < candidates.length - 1) continue;
      throw new UserError(`${file}: ${reasonOf(error)}. Set DOWNSPOUT_TOPOLOGY to the path of a topology.yaml.`);
    }
    return parseTopologySettings(text, file);
  }
  throw new UserError('topology.yaml: not found');
}

export function parseTopologySettings(text: string, file: string): TopologySettings {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new UserError(`${file}: ${reasonOf(error)}`);
  }
  const result = topologySchema.safeParse(value);
  if (result.success) return result.data;
  throw new UserError(
    result.error.issues.map((issue) => `${file}: ${issue.path.join('.') || '(top)'}: ${issue.message}`).join('\n'),
  );
}
