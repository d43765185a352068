import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { EditChange, OnLate } from '../../../../connectors/mysql/client/client';
import { checkOnLate, checkSendWithin } from '../../../../connectors/mysql/client/input';
import { reasonOf, UserError } from '../../../../topology/core/errors';
import { parseJson } from '../../../../topology/core/json-text';
import { decodeText } from '../../../../topology/core/text-encoding';
import type { Schemas } from '../../../../topology/payloads/given-channel';
import { type PayloadField, payloadFields, payloads } from '../../../../topology/payloads/payloads';
import { parseDuration } from '../../../console/durations';
import { jsonOrText } from './typed-fields';

export interface ContentOptions {
  readonly due?: string;
  readonly in?: number;
  readonly payload?: string;
  readonly payloadFile?: string;
  readonly sendWithin?: string;
  readonly onLate?: string;
  /** The fields of the payload that were typed, by the option's name. */
  readonly [field: string]: unknown;
}

/** A field of a payload as an option of the command line; channels may share an option. */
interface FieldOption {
  readonly option: Option;
  readonly byChannel: ReadonlyMap<string, PayloadField>;
}

/** The options that say when and what, as `schedule` and `edit` have them: those of the payload come from its schema. */
export function withContentOptions(command: Command): Command {
  command
    .option('--due <time>', 'ISO 8601 with a zone (2027-01-31T09:00:00+01:00) or epoch milliseconds')
    .option('--in <duration>', 'this long from now, for example 90s, 10min, 2h', parseDuration)
    .option(
      '--send-within <duration>',
      'how long after its due time it may be sent, such as 24h; or channel: as that says',
    )
    .option('--on-late <what>', 'what happens to it afterwards: send, skip or suspend; or channel: as that says')
    .option('--payload <json>', 'the payload, whole, of any channel')
    .option('--payload-file <path>', 'the payload from a file, - for standard input');
  return withFieldOptions(command, payloads);
}

/** Adds the options of these channels' payloads that the command does not have yet. */
export function withFieldOptions(command: Command, schemas: Schemas): Command {
  const there = new Set(command.options.map(({ long }) => long));
  for (const { option } of fieldOptions(schemas)) if (!there.has(option.long)) command.addOption(option);
  return command;
}

/** The due time as the client takes it; undefined when no option gives one. `--in` counts from the database's now. */
export async function dueOf(
  options: ContentOptions,
  database: { now(): Promise<number> },
): Promise<number | string | undefined> {
  if (options.due !== undefined && options.in !== undefined) throw new UserError('Give --due or --in, not both.');
  return options.in === undefined ? options.due : (await database.now()) + options.in;
}

/** When it is too late to send the message, as the client takes it. @throws UserError naming the field that is wrong */
export function latePolicyOf({ sendWithin, onLate }: ContentOptions): Pick<EditChange, 'sendWithin' | 'onLate'> {
  if (sendWithin !== undefined) checkSendWithin(sendWithin);
  if (onLate !== undefined) checkOnLate(onLate);
  return {
    ...(sendWithin === undefined ? {} : { sendWithin }),
    ...(onLate === undefined ? {} : { onLate: onLate as OnLate }),
  };
}

/** How the payload was given: not at all, as a whole, or by options that depend on the channel. @throws UserError */
export function payloadGiven(options: ContentOptions, schemas: Schemas = payloads): 'not' | 'whole' | 'fields' {
  const fields = fieldOptions(schemas).some(({ option }) => options[option.attributeName()] !== undefined);
  const ways = [options.payload !== undefined, options.payloadFile !== undefined, fields].filter(Boolean).length;
  if (ways > 1) {
    throw new UserError(
      `Give the payload in one way: --payload, --payload-file, or its fields (${fieldNames(schemas)}).`,
    );
  }
  if (ways === 0) return 'not';
  return fields ? 'fields' : 'whole';
}

/**
 * The payload; undefined when no option gives one.
 * @param channel decides what the options of a payload's fields mean
 * @param schemas of the channels that there are; our own unless given
 * @throws UserError
 */
export function payloadOf(options: ContentOptions, channel: string, schemas: Schemas = payloads): unknown {
  const given = payloadGiven(options, schemas);
  if (given === 'not') return undefined;
  if (given === 'fields') return payloadOfFields(options, channel, schemas);
  const { payload, payloadFile } = options;
  if (payload !== undefined) return json('--payload', payload);
  const source = payloadFile === '-' ? 'standard input' : String(payloadFile);
  return json(source, readPayloadFile(String(payloadFile), source));
}

/** The options of payload fields, for people. */
export function fieldNames(schemas: Schemas): string {
  return fieldOptions(schemas)
    .map(({ option }) => option.long)
    .join(', ');
}

function payloadOfFields(options: ContentOptions, channel: string, schemas: Schemas): Record<string, unknown> {
  const payload: Record<string, unknown> = {};
  for (const { option, byChannel } of fieldOptions(schemas)) {
    const typed = options[option.attributeName()];
    const field = byChannel.get(channel);
    if (field !== undefined) {
      if (typed !== undefined) payload[field.name] = valueOf(field, typed);
    } else if (typed !== undefined) {
      const owners = [...byChannel.keys()].join(', ');
      throw new UserError(`${option.long} belongs to ${owners}; this message is of ${channel}. Use --payload.`);
    }
  }
  return payload;
}

function fieldOptions(schemas: Schemas): FieldOption[] {
  const found = new Map<string, Map<string, PayloadField>>();
  for (const [channel, schema] of Object.entries(schemas)) {
    for (const field of payloadFields(schema)) {
      const byChannel = found.get(field.option) ?? new Map<string, PayloadField>();
      found.set(field.option, byChannel.set(channel, field));
    }
  }
  return [...found].map(([name, byChannel]) => {
    const fields = [...byChannel.values()];
    const help = [...byChannel].map(([channel, { description }]) => `${channel}: ${description}`).join('; ');
    const isEntry = fields.some(({ takes }) => takes === 'entry');
    const option = new Option(`--${name} <${fields[0]?.placeholder}>`, isEntry ? `${help}; may be repeated` : help);
    return { byChannel, option: isEntry ? option.argParser(collectEntry) : option };
  });
}

function valueOf({ takes }: PayloadField, typed: unknown): unknown {
  if (takes === 'entry') return Object.fromEntries(typed as readonly (readonly [string, string])[]);
  return takes === 'json' ? jsonOrText(String(typed)) : typed;
}

function readPayloadFile(path: string, source: string): string {
  try {
    return decodeText(readFileSync(path === '-' ? 0 : path));
  } catch (error) {
    throw new UserError(`${source}: ${reasonOf(error)}`);
  }
}

function json(source: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw new UserError(`${source}: ${error instanceof UserError ? '' : 'not JSON: '}${reasonOf(error)}`);
  }
}

function collectEntry(
  text: string,
  before: readonly (readonly [string, string])[] = [],
): readonly (readonly [string, string])[] {
  const colon = text.indexOf(':');
  if (colon < 1) throw new InvalidArgumentError('Expected name:value.');
  const name = text.slice(0, colon).trim();
  if (before.some(([other]) => other === name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return [...before, [name, text.slice(colon + 1).trim()]];
}
