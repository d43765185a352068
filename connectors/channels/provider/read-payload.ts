import { BadRecord } from '../../../topology/core/errors';
import type { ObjectSchema } from '../../../topology/payloads/object-schema';
import {
  type ChannelName,
  MAX_STORED_PAYLOAD_BYTES,
  type Payload,
  parseBy,
  payloads,
} from '../../../topology/payloads/payloads';

/**
 * A payload as the row has it.
 * @param schema of a channel that is none of ours
 * @throws BadRecord naming the field that is wrong
 */
export function readPayload<Name extends ChannelName>(
  channel: Name,
  text: string,
  schema: ObjectSchema = payloads[channel],
): Payload<Name> {
  if (Buffer.byteLength(text) > MAX_STORED_PAYLOAD_BYTES) {
    throw new BadRecord(`payload: expected at most ${MAX_STORED_PAYLOAD_BYTES} bytes`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadRecord('payload: not JSON');
  }
  const parsed = parseBy<Payload<Name>>(schema, value);
  if (!parsed.ok) throw new BadRecord(parsed.reason);
  return parsed.payload;
}
