const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAY_OF_WEEK = '(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?';
const TIME = '(?<hour>\\d{1,2}):(?<minute>\\d{2})(?::(?<second>\\d{2})(?<fraction>\\.\\d{1,9})?)?';
/** Names that RFC 5322 (section 4.3) still has, and others that mean one zone only, by their hours. */
const HOURS_OF_ZONE = new Map([
  ['edt', -4],
  ['est', -5],
  ['cdt', -5],
  ['cst', -6],
  ['mdt', -6],
  ['mst', -7],
  ['pdt', -7],
  ['pst', -8],
  ['cet', 1],
  ['cest', 2],
  ['jst', 9],
]);
const ZONE_NAMES = ['gmt', 'utc', 'ut', 'z', ...HOURS_OF_ZONE.keys()].join('|');
const ZONE = `(?: ?(?<zone>${ZONE_NAMES}|(?:gmt|utc)?[+-]\\d{2}(?::?\\d{2})?))?`;

const FORMS = [
  /** `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, and what lies between them. */
  `${DAY_OF_WEEK}(?<day>\\d{1,2})[ -](?<month>[a-z]{3,9})[ -](?<year>\\d{4}|\\d{2}) ${TIME}${ZONE}`,
  /** `Sun Nov 6 08:49:37 1994`. */
  `${DAY_OF_WEEK}(?<month>[a-z]{3,9}) (?<day>\\d{1,2}) ${TIME}${ZONE} (?<year>\\d{4})`,
  /** `Sun Nov 06 1994 08:49:37 GMT+0000`, as JavaScript writes it. */
  `${DAY_OF_WEEK}(?<month>[a-z]{3,9}) (?<day>\\d{1,2}),? (?<year>\\d{4}) ${TIME}${ZONE}`,
  /** `1994-11-06T08:49:37Z` (ISO 8601). */
  `(?<year>\\d{4})-?(?<month>\\d{2})-?(?<day>\\d{2})[t ]${TIME.replaceAll('\\d{1,2}', '\\d{2}')}${ZONE}`,
  `(?<year>\\d{4})(?<month>\\d{2})(?<day>\\d{2})t(?<hour>\\d{2})(?<minute>\\d{2})(?<second>\\d{2})${ZONE}`,
].map((form) => new RegExp(`^${form}$`, 'i'));

/**
 * The instant that a server means: an HTTP date in its three forms (RFC 9110, section 5.6.7), ISO 8601, or what is nearly one of
 * them. The day of the week does not count. What names no zone is in UTC.
 * @param text with single blanks
 * @param now epoch milliseconds: a year of two digits is the one that is not more than 50 years ahead
 * @returns epoch milliseconds; undefined when it is no date, or none that there is
 */
export function dateIn(text: string, now: number): number | undefined {
  const parts = FORMS.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined);
  if (parts === undefined) return undefined;
  const { hour, minute, second = 0, fraction = 0, zone } = parts;
  const month = monthOf(String(parts['month']));
  const year = yearOf(String(parts['year']), now);
  const day = Number(parts['day']);
  const at = Date.UTC(year, month, day, Number(hour), Number(minute), Number(second)) + Number(fraction) * 1_000;
  const midnight = new Date(Date.UTC(year, month, day));
  const isThere = midnight.getUTCMonth() === month && midnight.getUTCDate() === day;
  // A second 60 is one that was inserted.
  if (!isThere || Number(hour) > 24 || Number(minute) > 59 || Number(second) > 60) return undefined;
  return at - offsetMs(zone);
}

/** From 0; -1 when it is none. */
function monthOf(text: string): number {
  return /^\d/.test(text) ? Number(text) - 1 : MONTHS.indexOf(text.slice(0, 3).toLowerCase());
}

function yearOf(text: string, now: number): number {
  if (text.length === 4) return Number(text);
  const thisYear = new Date(now).getUTCFullYear();
  const latest = thisYear + 50;
  return latest - ((((latest - Number(text)) % 100) + 100) % 100);
}

function offsetMs(zone = ''): number {
  const named = HOURS_OF_ZONE.get(zone.toLowerCase());
  if (named !== undefined) return named * 3_600_000;
  const [, sign, hours, minutes = 0] = /([+-])(\d{2}):?(\d{2})?$/.exec(zone) ?? [];
  if (sign === undefined) return 0;
  const ms = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return sign === '-' ? -ms : ms;
}
