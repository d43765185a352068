import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../../../../topology/core/clock';
import { reasonOf, UserError } from '../../../../topology/core/errors';
import { type ChannelName, type PayloadField, payloadFields, payloads } from '../../../../topology/payloads';
import { parseDuration } from '../../../console/durations';

export interface ContentOptions {
  readonly due?: string;
  readonly in?: number;
  readonly payload?: string;
  readonly payloadFile?: string;
  /** The options of payload fields, by their names. */
  readonly [option: string]: unknown;
}

/** The fields of all channels' payloads, by the option that sets them. */
const fieldOptions = new Map<string, (PayloadField & { readonly channel: ChannelName })[]>();
for (const channel of Object.keys(payloads) as ChannelName[]) {
  for (const field of payloadFields(channel)) {
    fieldOptions.set(field.option, [...(fieldOptions.get(field.option) ?? []), { ...field, channel }]);
  }
}

/** The options that say when and what, as `schedule` and `edit` have them. */
export function withContentOptions(command: Command): Command {
  command
    .option('--due <time>', 'ISO 8601 with a zone (2027-01-31T09:00:00+01:00) or epoch milliseconds')
    .option('--in <duration>', 'this long from now, for example 90s, 10min, 2h', parseDuration)
    .option('--payload <json>', 'the payload, whole')
    .option('--payload-file <path>', 'the payload from a file, - for standard input');
  for (const [name, uses] of fieldOptions) {
    const { placeholder, takes } = uses[0] as PayloadField;
    const flags = `--${name} <${placeholder}>`;
    const meaning = uses.map(({ channel, description }) => `${channel}: ${description}`).join('; ');
    if (takes === 'entry') command.option(flags, `${meaning}; may be repeated`, collectEntry);
    else command.option(flags, meaning);
  }
  return command;
}

/** The time that was asked for, as the client takes it; undefined when none was given. */
export function dueOf(options: ContentOptions): number | string | undefined {
  if (options.due !== undefined && options.in !== undefined) throw new UserError('Give --due or --in, not both.');
  return options.in === undefined ? options.due : systemClock.now() + options.in;
}

/** The payload that was asked for; undefined when none was given. @throws UserError */
export function payloadOf(options: ContentOptions): unknown {
  const { payload, payloadFile } = options;
  const given = [...fieldOptions].filter(([name]) => options[name] !== undefined);
  if ([payload !== undefined, payloadFile !== undefined, given.length > 0].filter(Boolean).length > 1) {
    throw new UserError('Give the payload in one way: --payload, --payload-file, or --url with its companions.');
  }
  if (payload !== undefined) return json('--payload', payload);
  if (payloadFile !== undefined) return json(payloadFile, readPayloadFile(payloadFile));
  if (given.length === 0) return undefined;
  return Object.fromEntries(
    given.map(([option, uses]) => {
      const { name, takes } = uses[0] as PayloadField;
      const value = options[option];
      if (takes === 'entry') return [name, Object.fromEntries(value as Entries)];
      return [name, takes === 'json' ? jsonOrText(value as string) : value];
    }),
  );
}

function readPayloadFile(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new UserError(`${path}: ${reasonOf(error)}`);
  }
}

function json(source: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new UserError(`${source}: not JSON: ${reasonOf(error)}`);
  }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

type Entries = readonly (readonly [string, string])[];

function collectEntry(text: string, before: Entries = []): Entries {
  const colon = text.indexOf(':');
  if (colon < 1) throw new InvalidArgumentError('Expected name:value.');
  return [...before, [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]];
}
