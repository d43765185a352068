/** Of settings whose name says that nobody else may read them; where they lie in a file may be read. */
const SECRET = /PASSWORD|SECRET|TOKEN/;
const FILE = /_FILE$/;
/** What only Connect can resolve. */
const REFERENCE = /^\$\{[^}]*\}$/;

/** The settings as a log or a ticket may hold them: without secrets, and with `***` for passwords in URLs. */
export function masked(settings: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      SECRET.test(name) && !FILE.test(name) && !REFERENCE.test(value) ? '***' : withoutPassword(value),
    ]),
  );
}

/**
 * `scheme://user:***@…`, or `user:***@…` as proxies are written. A password may hold every character that stands in a URL, an @ too, so
 * all is left out from the first colon to the last @: rather more than a password than less.
 */
export function withoutPassword(place: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(place)?.[0] ?? '';
  return scheme + place.slice(scheme.length).replace(/^([^:]*):.*@/s, '$1:***@');
}
