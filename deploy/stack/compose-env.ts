import { UserError } from '../../topology/core/errors';

/**
 * A value in single quotes, as Docker Compose reads it in a file of variables: nothing is put into it, `\'` is a quote, and every other
 * backslash stands as it is.
 * @throws UserError naming the variable, without its value
 */
export function composeQuoted(name: string, value: string): string {
  if (!/[\r\n]|\\(?:'|$)/.test(value)) return `'${value.replaceAll("'", "\\'")}'`;
  throw new UserError(
    `${name} has a line end, or a backslash before a quote or at its end: Docker Compose cannot read that from a file. Change the value.`,
  );
}
