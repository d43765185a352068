import { BadRecord } from '../../../topology/core/errors';
import { hasMoreValues } from '../../../topology/core/json-text';
import type { ObjectSchema } from '../../../topology/payloads/object-schema';
import {
  type ChannelName,
  MAX_PAYLOAD_VALUES,
  MAX_STORED_PAYLOAD_BYTES,
  type Payload,
  parseBy,
  payloads,
} from '../../../topology/payloads/payloads';

/**
 * A payload as the row has it.
 * @param schema of a channel that is none of ours
 * @throws BadRecord naming the field that is wrong; another error when the schema fails
 */
export function readPayload<Name extends ChannelName>(
  channel: Name,
  text: string,
  schema: ObjectSchema = payloads[channel],
): Payload<Name> {
  const parsed = parseBy<Payload<Name>>(schema, readJson(text));
  if (parsed.ok) return parsed.payload;
  throw parsed.isFault === true ? new Error(parsed.reason) : new BadRecord(parsed.reason);
}

/** The same before its schema is asked. @throws BadRecord */
export function readJson(text: string): unknown {
  if (Buffer.byteLength(text) > MAX_STORED_PAYLOAD_BYTES) {
    throw new BadRecord(`payload: expected at most ${MAX_STORED_PAYLOAD_BYTES} bytes`);
  }
  if (hasMoreValues(text, MAX_PAYLOAD_VALUES)) {
    throw new BadRecord(`payload: expected at most ${MAX_PAYLOAD_VALUES} arrays, objects and members of these`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new BadRecord('payload: not JSON');
  }
}
