const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*';
const TIME = '\\d{1,2}:\\d{2}:\\d{2}';
/** `Sun, 06 Nov 1994 08:49:37 GMT`, also with an offset instead of GMT, which servers send. */
const IMF = new RegExp(`^${DAY}, \\d{1,2} [A-Z][a-z]{2} \\d{4} ${TIME} (?:GMT|UTC|[+-]\\d{4})$`);
/** `Sunday, 06-Nov-94 08:49:37 GMT`. */
const RFC_850 = new RegExp(`^${DAY}, (\\d{1,2})-([A-Z][a-z]{2})-(\\d{2}) (${TIME}) GMT$`);
/** `Sun Nov  6 08:49:37 1994`, which is in UTC. */
const ASCTIME = new RegExp(`^${DAY} ([A-Z][a-z]{2}) +(\\d{1,2}) (${TIME}) (\\d{4})$`);
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)$/;
/** A number of this many seconds is no delay but a time since 1970; with three digits more, in milliseconds. */
const EPOCH_SECONDS = 1_000_000_000;

/**
 * `Retry-After` in each form that servers send: seconds, also with a fraction, an HTTP date in its three forms (RFC 9110,
 * sections 10.2.3 and 5.6.7), and, against the rules, ISO 8601 and epoch times.
 *
 * @param now epoch milliseconds, against which a date is read
 * @returns milliseconds, or undefined when it is none of them
 */
export function retryAfterMs(value: string, now: number): number | undefined {
  const text = value.trim();
  const seconds = /^(\d{1,13}(?:\.\d{1,9})?)(?: ?s(?:ec(?:ond)?s?)?)?$/i.exec(text)?.[1];
  if (seconds !== undefined) {
    const number = Number(seconds);
    if (number < EPOCH_SECONDS) return Math.ceil(number * 1_000);
    return Math.max(0, Math.ceil(number < EPOCH_SECONDS * 1_000 ? number * 1_000 : number) - now);
  }
  const at = dateOf(text, now);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** @returns epoch milliseconds, or NaN */
function dateOf(text: string, now: number): number {
  if (IMF.test(text) || ISO.test(text)) return Date.parse(text);
  const asctime = ASCTIME.exec(text);
  if (asctime !== null) {
    const [, month, day, time, year] = asctime;
    return Date.parse(`${day} ${month} ${year} ${time} GMT`);
  }
  const [, day, month, year, time] = RFC_850.exec(text) ?? [];
  if (day === undefined) return Number.NaN;
  // Two digits of a year stand for the one that is not more than 50 years ahead.
  const century = Math.floor(new Date(now).getUTCFullYear() / 100) * 100;
  const near = [century + 100, century, century - 100].map((base) => base + Number(year));
  const meant = near.find((candidate) => candidate <= new Date(now).getUTCFullYear() + 50);
  return Date.parse(`${day} ${month} ${meant} ${time} GMT`);
}
