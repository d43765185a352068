import { UserError } from '../../../../topology/core/errors';
import { parseJson } from '../../../../topology/core/json-text';
import type { Schemas } from '../../../../topology/payloads/given-channel';
import { type PayloadField, payloadFields, payloads } from '../../../../topology/payloads/payloads';

/**
 * JSON where the text is JSON, the text itself otherwise.
 * @throws UserError for what was meant as JSON and is not, and for a number that cannot be kept
 */
export function jsonOrText(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (isJsonWithCurlyQuotes(text)) {
      throw new UserError(
        'JSON in typographic quotes (“ ”), which a word processor puts in place of straight ones (")',
      );
    }
    if (isJsonWithBackslashes(text)) {
      throw new UserError('JSON with its quotes written as \\"; write them without backslashes');
    }
    return text;
  }
}

/** The field of a channel's payload; undefined when the channel or the field does not exist. */
export function payloadField(channel: unknown, name: string, schemas: Schemas = payloads): PayloadField | undefined {
  if (typeof channel !== 'string' || !Object.hasOwn(schemas, channel)) return undefined;
  return payloadFields(schemas[channel] as Schemas[string]).find((field) => field.name === name);
}

function isJsonWithCurlyQuotes(text: string): boolean {
  return isJsonOnce(text, /[“”„«»‟]/g);
}

/** As it is after a shell or a program has escaped the quotes for something that did not take it back. */
function isJsonWithBackslashes(text: string): boolean {
  return isJsonOnce(text, /\\"/g);
}

/** Whether it is JSON when these are straight quotes. */
function isJsonOnce(text: string, quotes: RegExp): boolean {
  if (!/^\s*[[{]/.test(text) || text.search(quotes) === -1) return false;
  try {
    JSON.parse(text.replaceAll(quotes, '"'));
    return true;
  } catch {
    return false;
  }
}
