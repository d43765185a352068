import { dateIn } from './server-date';

/** A number of this many seconds is no delay but a time since 1970, and so it is in a finer unit. */
const EPOCH_SECONDS = 1e9;
const EPOCH_MS = 1e12;
const EPOCH_MICROSECONDS = 1e15;
const EPOCH_NANOSECONDS = 1e18;
/** Of a number that is absurd. Whoever waits has a bound of his own. */
const MAX_WAIT_MS = Number.MAX_SAFE_INTEGER;
/** Beyond it a header is not read. */
const MAX_CHARACTERS = 1_000;

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const MS_OF_UNIT: readonly (readonly [RegExp, number])[] = [
  [/^(?:ms|msecs?|millis(?:econds?)?)$/, 1],
  [/^(?:s|secs?|seconds?)$/, 1_000],
  [/^(?:m|mins?|minutes?)$/, 60_000],
  [/^(?:h|hrs?|hours?)$/, 3_600_000],
  [/^(?:d|days?)$/, 86_400_000],
  [/^(?:w|wks?|weeks?)$/, 7 * 86_400_000],
];
/** Words that say no more: `in 30 seconds`, `1 hour and 5 minutes`, `60 s.` */
const WORDS = /^(?:in|after) (?=\d)| and(?= \d)|(?<=[a-z])\.$/gi;
/** `90 s`, `1m30.5s`, `2 minutes`. */
const WITH_UNITS = /^([+-]?)((?:\d+(?:\.\d+)? ?[a-z]+ ?)+)$/i;
/** `PT2M`, `P1DT12H`, `P1W` (ISO 8601). */
const ISO_DURATION =
  /^([+-]?)P(?=\d|T\d)(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i;
/** `20261221` is no time of 234 days, and which moment of the day it means is not said. */
const DAY = /^20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$/;
/** What may stand behind a value: a comment, as in the dates that JavaScript writes, and parameters (RFC 3261, section 20.33). */
const REMARK = / ?(?:\([^()]*\)|;.*)$/;
const WEEKDAY = /^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*$/i;

/**
 * How long to wait, by `Retry-After` and its like, in each form that servers send: seconds, an HTTP date in its three forms (RFC
 * 9110, sections 10.2.3 and 5.6.7), and, against the rules, a time with a unit, ISO 8601 and epoch times. Of several values the
 * one that is furthest counts. What is past or negative is now.
 *
 * @param value of the header; of several, joined by commas
 * @param now epoch milliseconds, against which a date is read
 * @returns milliseconds, at most `Number.MAX_SAFE_INTEGER`; undefined when nothing in it is understood
 */
export function retryAfterMs(value: string, now: number): number | undefined {
  const waits = valuesIn(value).flatMap((one) => waitMs(one, now) ?? []);
  if (waits.length === 0) return undefined;
  return Math.min(MAX_WAIT_MS, Math.max(0, Math.ceil(Math.max(...waits))));
}

/** A comma stands between values and, in a date, behind the day of the week. */
function valuesIn(text: string): string[] {
  const values: string[] = [];
  let weekday = '';
  for (const part of text.slice(0, MAX_CHARACTERS).split(',')) {
    const plain = unquoted(part);
    if (WEEKDAY.test(plain)) weekday = plain;
    else {
      values.push(unquoted(weekday === '' ? part : `${weekday}, ${plain}`));
      weekday = '';
    }
  }
  return values;
}

function unquoted(text: string): string {
  const plain = text.replace(/^[\s"']+|[\s"']+$/g, '').replace(/\s+/g, ' ');
  return plain.replace(REMARK, '');
}

function waitMs(text: string, now: number): number | undefined {
  if (DAY.test(text)) return undefined;
  if (NUMBER.test(text)) return ofNumber(Number(text), now);
  const duration = unitsIn(text) ?? isoDurationIn(text);
  if (duration !== undefined) return duration;
  const at = dateIn(text, now);
  return at === undefined ? undefined : at - now;
}

function ofNumber(number: number, now: number): number {
  if (number < EPOCH_SECONDS) return number * 1_000;
  if (number < EPOCH_MS) return number * 1_000 - now;
  if (number < EPOCH_MICROSECONDS) return number - now;
  return number / (number < EPOCH_NANOSECONDS ? 1e3 : 1e6) - now;
}

function unitsIn(text: string): number | undefined {
  const [, sign, all] = WITH_UNITS.exec(text.replace(WORDS, '')) ?? [];
  if (all === undefined) return undefined;
  let ms = 0;
  for (const [, amount, unit] of all.matchAll(/(\d+(?:\.\d+)?) ?([a-z]+)/gi)) {
    const known = MS_OF_UNIT.find(([name]) => name.test(unit?.toLowerCase() ?? ''));
    if (known === undefined) return undefined;
    ms += Number(amount) * known[1];
  }
  return sign === '-' ? -ms : ms;
}

function isoDurationIn(text: string): number | undefined {
  const [whole, sign, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = ISO_DURATION.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const ms =
    ((((Number(weeks) * 7 + Number(days)) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
  return sign === '-' ? -ms : ms;
}
