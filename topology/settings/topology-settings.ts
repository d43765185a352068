import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { reasonOf, UserError } from '../core/errors';
import { DURATION_FORM, parseDurationMs, parseSizeBytes, SIZE_FORM } from '../core/quantities';
import { SPOUT } from '../streams';
import { packageRoot } from './package';

const count = z.int().min(1);

/** Milliseconds, written with a unit; a bare number is milliseconds. */
const duration = (least: number, most: number) =>
  quantity(parseDurationMs, DURATION_FORM).pipe(z.int().min(least).max(most));
/** Bytes, written with a unit; a bare number is bytes. */
const size = (least: number) => quantity(parseSizeBytes, SIZE_FORM).pipe(z.int().min(least));

function quantity(parseText: (text: string) => number | undefined, form: string) {
  return z.union([z.number(), z.string()], { error: `expected ${form}` }).transform((value, context) => {
    const parsed = typeof value === 'number' ? value : parseText(value);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: `expected ${form}, got ${JSON.stringify(value)}` });
    return z.NEVER;
  });
}

const HOUR_MS = 3_600_000;

/** A setting that has another name now. It is refused by name, because its value meant something else. */
const renamed = (advice: string) => z.undefined({ error: advice }).optional();

const spoutSchema = z
  .strictObject({
    replicas: count.max(256).default(2),
    partitions: count.max(256).default(8),
    lead: duration(0, 60_000).default(2_000),
    reconcileInterval: duration(100, HOUR_MS).default(2_000),
    maxPending: count.default(50_000),
    maxPendingPerAccount: count.default(1_000),
    maxEntries: count.default(200_000),
  })
  .transform(({ lead, reconcileInterval, ...others }) => ({
    ...others,
    leadMs: lead,
    reconcileIntervalMs: reconcileInterval,
  }));

const boltSchema = z
  .strictObject({
    replicas: count.max(256).default(2),
    partitions: count.max(256).default(8),
    concurrency: count.max(10_000).default(256),
    perAccount: count.default(32),
    perOrigin: count.default(256),
    perHost: renamed('perHost is called perOrigin now: write that instead'),
    claimBatch: count.max(5_000).default(500),
    claimAheadMax: duration(0, 5_000).default(2_000),
    maxHeld: count.default(50_000),
    maxHeldBytes: size(1).default(128 * 1024 * 1024),
    timeout: duration(100, HOUR_MS).default(10_000),
    giveUpAfter: duration(0, 90 * 24 * HOUR_MS).default(24 * HOUR_MS),
    attempts: renamed('attempts is called giveUpAfter now and is a time, e.g. 24h: write that instead'),
    backOff: duration(1, 24 * HOUR_MS).default(1_000),
    backOffMax: duration(1, 24 * HOUR_MS).default(HOUR_MS),
  })
  .transform(({ claimAheadMax, timeout, giveUpAfter, backOff, backOffMax, ...others }) => ({
    ...others,
    claimAheadMaxMs: claimAheadMax,
    timeoutMs: timeout,
    giveUpAfterMs: giveUpAfter,
    backOffMs: backOff,
    backOffMaxMs: backOffMax,
  }));
/** Of one bolt. The names in the file, with the unit of what is a time. */
export type BoltSettings = Readonly<z.infer<typeof boltSchema>>;

const componentsSchema = z
  .object({ [SPOUT]: spoutSchema.prefault({}) })
  .catchall(boltSchema)
  .transform(({ [SPOUT]: spout, ...bolts }) => ({
    spout,
    /** By channel. A channel that is missing has no sender: its messages wait. */
    bolts: bolts as Readonly<Record<string, BoltSettings>>,
  }));
const topologySchema = z.strictObject({ components: componentsSchema }).transform(({ components }) => components);
/** topology.yaml, with defaults filled in. */
export type TopologySettings = Readonly<z.infer<typeof topologySchema>>;

/** How many workers each component is to have. */
export function replicasOf({ spout, bolts }: TopologySettings): ReadonlyMap<string, number> {
  return new Map(Object.entries({ [SPOUT]: spout, ...bolts }).map(([name, { replicas }]) => [name, replicas]));
}

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
