import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../../../../topology/core/clock';
import { reasonOf, UserError } from '../../../../topology/core/errors';
import { parseDuration } from '../../../console/durations';

export interface ContentOptions {
  readonly due?: string;
  readonly in?: number;
  readonly payload?: string;
  readonly payloadFile?: string;
  readonly url?: string;
  readonly method?: string;
  readonly header?: readonly (readonly [string, string])[];
  readonly body?: string;
}

/** The options that say when and what, as `schedule` and `edit` have them. */
export function withContentOptions(command: Command): Command {
  return command
    .option('--due <time>', 'ISO 8601 with a zone (2027-01-31T09:00:00+01:00) or epoch milliseconds')
    .option('--in <duration>', 'this long from now, for example 90s, 10min, 2h', parseDuration)
    .option('--payload <json>', 'the payload, whole')
    .option('--payload-file <path>', 'the payload from a file, - for standard input')
    .option('--url <url>', 'webhook: where to')
    .option('--method <method>', 'webhook: POST unless given')
    .option('--header <name:value>', 'webhook: a header; may be repeated', collectHeader)
    .option('--body <text>', 'webhook: the body; sent as JSON when it is JSON, as text otherwise');
}

/** The time that was asked for, as the client takes it; undefined when none was given. */
export function dueOf(options: ContentOptions): number | string | undefined {
  if (options.due !== undefined && options.in !== undefined) throw new UserError('Give --due or --in, not both.');
  return options.in === undefined ? options.due : systemClock.now() + options.in;
}

/** The payload that was asked for; undefined when none was given. @throws UserError */
export function payloadOf(options: ContentOptions): unknown {
  const { payload, payloadFile, url, method, header, body } = options;
  const parts = [url, method, header, body].some((part) => part !== undefined);
  if ([payload !== undefined, payloadFile !== undefined, parts].filter(Boolean).length > 1) {
    throw new UserError('Give the payload in one way: --payload, --payload-file, or --url with its companions.');
  }
  if (payload !== undefined) return json('--payload', payload);
  if (payloadFile !== undefined) return json(payloadFile, readPayloadFile(payloadFile));
  if (!parts) return undefined;
  return {
    url,
    ...(method === undefined ? {} : { method }),
    ...(header === undefined ? {} : { headers: Object.fromEntries(header) }),
    body: body === undefined ? '' : jsonOrText(body),
  };
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

function collectHeader(
  text: string,
  before: readonly (readonly [string, string])[] = [],
): readonly (readonly [string, string])[] {
  const colon = text.indexOf(':');
  if (colon < 1) throw new InvalidArgumentError('Expected name:value.');
  return [...before, [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]];
}
