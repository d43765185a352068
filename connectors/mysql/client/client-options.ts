import { UserError } from '../../../topology/core/errors';
import type { CallerConnection } from '../sql/executor';
import { checkText } from './input';

export interface ClientOptions {
  /** Connections at most, when the client makes its own. */
  readonly connections?: number;
  /** In whose name changes are recorded; the operating system's user of this process unless given. At most 255 characters. */
  readonly who?: string;
}

const NAMES: readonly string[] = ['connections', 'who'];
const MAX_CONNECTIONS = 1_000;

/** @throws UserError naming the option that is wrong, or that there is none of its name */
export function checkClientOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    throw new UserError(`createClient: expected options such as {connections: 8}, got ${kindOf(options)}`);
  }
  const { connections, who } = options as ClientOptions;
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw new UserError(
      `createClient: there is no option ${JSON.stringify(unknown)}; the options are ${NAMES.join(', ')}`,
    );
  }
  const isCount = Number.isInteger(connections) && Number(connections) >= 1 && Number(connections) <= MAX_CONNECTIONS;
  if (connections !== undefined && !isCount) {
    throw new UserError(`connections: expected 1 to ${MAX_CONNECTIONS}, got ${String(connections)}`);
  }
  if (who !== undefined) checkText('who', who, 255);
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
