/**
 * A part of a URL as it is meant. A `%` that begins no escape stands for itself, because many write passwords so and other
 * programs take them; escapes that are no UTF-8 stay as they are. Never throws.
 */
export function percentDecoded(part: string): string {
  return part.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}

/** What whoever wrote a URL with a `#` or `?` that nobody expected may have meant. */
export const IN_CREDENTIALS = 'in a user or password write %23 for #, %3F for ?, %2F for / and %40 for @';

/** The name of a parameter for a text; nothing when it may be of a password that holds a `?`, behind which an `@` follows. */
export function shownParameter(name: string, parameters: URLSearchParams): string {
  const isOfPassword = !/^[\w.-]{1,40}$/.test(name) || [...parameters.values()].some((value) => value.includes('@'));
  return isOfPassword ? '' : ` ${JSON.stringify(name)}`;
}
