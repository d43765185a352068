import { UserError } from '../../../../topology/core/errors';
import { parseJson } from '../../../../topology/core/json-text';
import type { Schemas } from '../../../../topology/payloads/given-channel';
import { type PayloadField, payloadFields, payloads } from '../../../../topology/payloads/payloads';
import { slipOf } from './near-json';

/**
 * JSON where the text is JSON, also after the mark with which some programs begin a file; the text itself otherwise.
 * @throws UserError for what was meant as JSON and is not, and for a number that cannot be kept
 */
export function jsonOrText(text: string): unknown {
  const unmarked = text.replace(/^\ufeff/, '');
  try {
    return parseJson(unmarked);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const slip = slipOf(unmarked);
    if (slip === undefined) return text;
    throw new UserError(`${slip}. If it is meant as a text, give it as a JSON string, in double quotes`);
  }
}

/** The field of a channel's payload; undefined when the channel or the field does not exist. */
export function payloadField(channel: unknown, name: string, schemas: Schemas = payloads): PayloadField | undefined {
  if (typeof channel !== 'string' || !Object.hasOwn(schemas, channel)) return undefined;
  return payloadFields(schemas[channel] as Schemas[string]).find((field) => field.name === name);
}
