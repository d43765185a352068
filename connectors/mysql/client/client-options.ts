import { UserError } from '../../../topology/core/errors';
import { shortJson } from '../../../topology/core/short-json';
import { type GivenChannel, type Schemas, schemasWith } from '../../../topology/payloads/given-channel';
import type { CallerConnection } from '../sql/executor';
import { checkText } from './input';

export interface ClientOptions<Given extends readonly GivenChannel[] = readonly GivenChannel[]> {
  /** Connections at most, when the client makes its own. */
  readonly connections?: number;
  /** In whose name changes are recorded; the operating system's user of this process unless given. At most 255 characters. */
  readonly who?: string;
  /** Channels of packages: what their packages export by default. Those that come with Downspout are known already. */
  readonly channels?: Given;
}

const NAMES: readonly string[] = ['connections', 'who', 'channels'];
const MAX_CONNECTIONS = 1_000;

/**
 * @returns what messages of each channel contain
 * @throws UserError naming the option that is wrong, or that there is none of its name
 */
export function checkClientOptions(options: unknown): Schemas {
  if (typeof options !== 'object' || options === null) {
    throw new UserError(`createClient: expected options such as {connections: 8}, got ${kindOf(options)}`);
  }
  const { connections, who, channels = [] } = options as ClientOptions;
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw new UserError(`createClient: there is no option ${shortJson(unknown)}; the options are ${NAMES.join(', ')}`);
  }
  const isCount = Number.isInteger(connections) && Number(connections) >= 1 && Number(connections) <= MAX_CONNECTIONS;
  if (connections !== undefined && !isCount) {
    throw new UserError(`connections: expected 1 to ${MAX_CONNECTIONS}, got ${String(connections)}`);
  }
  if (who !== undefined) checkText('who', who, 255);
  if (!Array.isArray(channels)) throw new UserError(`channels: expected an array of channels, got ${kindOf(channels)}`);
  return schemasWith(channels);
}

/** Whether it is a connection or a pool of mysql2. */
export function isConnection(target: unknown): target is CallerConnection {
  return typeof target === 'object' && target !== null && 'query' in target && typeof target.query === 'function';
}

/** What to do about a target that is neither a URL nor a connection. The value is not shown: it may hold a password. */
export function noTarget(target: unknown): UserError {
  return new UserError(
    `createClient: expected a URL (mysql://user:password@host:port/database) or a connection of mysql2, got ${kindOf(target)}. ` +
      'If you gave process.env.DATABASE_URL, then DATABASE_URL is not set. For the local stack `eval "$(downspout env)"` sets it.',
  );
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'string') return 'an empty text';
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}
