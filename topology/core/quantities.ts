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
/** What a size may look like, for error texts. */
export const SIZE_FORM = 'a number with a unit: B, KiB, MiB or GiB, for example 128MiB';

/** @returns milliseconds of `30d`, `12h`, `90s`, `250ms`; undefined when the text is no length of time */
export function parseDurationMs(text: string): number | undefined {
  return quantity(text, MS_PER);
}

/** @returns bytes of `128MiB`, `64KiB`; undefined when the text is no size */
export function parseSizeBytes(text: string): number | undefined {
  return quantity(text, BYTES_PER);
}

function quantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, amount, name] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim()) ?? [];
  const unit = units[name ?? ''];
  return unit === undefined ? undefined : Math.round(Number(amount) * unit);
}
