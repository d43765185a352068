const MS_PER: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const BYTES_PER: Readonly<Record<string, number>> = { B: 1, KiB: 1_024, MiB: 1_024 ** 2, GiB: 1_024 ** 3 };

/** What a length of time may look like, for error texts. */
export const DURATION_FORM = 'a number with a unit: ms, s, min, h, d or w, for example 30s';

/** @returns milliseconds of `30d`, `12h`, `90s`, `250ms`; undefined when the text is no length of time */
export function parseDurationMs(text: string): number | undefined {
  return quantity(text, MS_PER);
}

/** @returns bytes of `128MiB`, `64KiB`; undefined when the text is no size */
export function parseSizeBytes(text: string): number | undefined {
  return quantity(text, BYTES_PER);
}

/** Milliseconds in the largest unit in which they are a whole number: `2s`, `1500ms`, `90d`. */
export function durationText(milliseconds: number): string {
  return inLargestUnit(milliseconds, ['d', 'h', 'min', 's', 'ms'], MS_PER);
}

/** Bytes in the largest unit in which they are a whole number: `128MiB`. */
export function sizeText(bytes: number): string {
  return inLargestUnit(bytes, ['GiB', 'MiB', 'KiB', 'B'], BYTES_PER);
}

function inLargestUnit(value: number, names: readonly string[], units: Readonly<Record<string, number>>): string {
  const name = names.find((one) => value !== 0 && value % (units[one] ?? 1) === 0) ?? names.at(-1) ?? '';
  return `${value / (units[name] ?? 1)}${name}`;
}

function quantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, amount, name] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim()) ?? [];
  const unit = units[name ?? ''];
  return unit === undefined ? undefined : Math.round(Number(amount) * unit);
}
