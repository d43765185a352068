import { BadRecord } from '../../topology/core/errors';
import { checkSchema } from '../../topology/core/record-schema';
import { shortJson } from '../../topology/core/short-json';
import type { Codec } from '../../topology/core/stream';
import type { ScheduleChange } from '../../topology/streams';
import { CHANGES_SCHEMA, SCHEMA_FIELD } from './settings';

/** A change as Debezium writes it with the settings of `settings.ts`: one flat JSON object per row change. */
export const changeEventCodec: Codec<ScheduleChange> = {
  encode: (change) =>
    Buffer.from(
      JSON.stringify({
        id: change.id,
        shard: change.shard,
        account: change.account,
        channel: change.channel,
        wake_at: change.wakeAt,
        version: change.version,
        __deleted: String(change.deleted),
        __op: change.deleted ? 'd' : 'u',
        __source_ts_ms: change.committedAt,
        // A text, as Connect inserts it.
        [SCHEMA_FIELD]: String(CHANGES_SCHEMA),
      }),
    ),
  decode(bytes) {
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString());
    } catch {
      throw new BadRecord('not JSON');
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new BadRecord('not an object');
    const row = value as Record<string, unknown>;
    checkSchema({ version: row[SCHEMA_FIELD], least: row['__least'] }, CHANGES_SCHEMA);
    return {
      id: integer(row, 'id', 1),
      shard: integer(row, 'shard', 0, 255),
      account: text(row, 'account'),
      channel: text(row, 'channel'),
      // Missing is not the same as NULL: a message would be taken for a canceled one.
      wakeAt: row['wake_at'] === null ? null : integer(row, 'wake_at'),
      version: integer(row, 'version', 0),
      deleted: flag(row, '__deleted'),
      committedAt: integer(row, '__source_ts_ms', 0),
    };
  },
};

function integer(
  row: Readonly<Record<string, unknown>>,
  field: string,
  least = Number.MIN_SAFE_INTEGER,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const value = row[field];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
    throw new BadRecord(`${field}: expected an integer from ${least} to ${most}, got ${shortJson(value)}`);
  }
  return value;
}

function text(row: Readonly<Record<string, unknown>>, field: string): string {
  const value = row[field];
  if (typeof value !== 'string') throw new BadRecord(`${field}: expected a string, got ${shortJson(value)}`);
  return value;
}

function flag(row: Readonly<Record<string, unknown>>, field: string): boolean {
  const value = row[field];
  if (value !== 'true' && value !== 'false') {
    throw new BadRecord(`${field}: expected "true" or "false", got ${shortJson(value)}`);
  }
  return value === 'true';
}
