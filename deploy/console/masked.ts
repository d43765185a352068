/** Of settings whose name says that nobody else may read them; where they lie in a file may be read. */
const SECRET = /PASSWORD|SECRET|TOKEN/;
const NO_SECRET = /_(?:FILE|REFERENCE)$/;

/** The settings as a log or a ticket may hold them: without secrets, and with `***` for passwords in URLs. */
export function masked(settings: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      SECRET.test(name) && !NO_SECRET.test(name) ? '***' : withoutPassword(value),
    ]),
  );
}

/** `scheme://user:***@…`; whatever stands before the last @ of a URL's host is no part of it. */
export function withoutPassword(place: string): string {
  return place.replace(/:\/\/([^:@/?#\s]*):[^/?#\s]*@/g, '://$1:***@');
}
