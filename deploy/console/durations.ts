import { InvalidArgumentError } from 'commander';

const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Milliseconds from `30d`, `12h`, `90s`: what an option takes as a length of time.
 * @throws InvalidArgumentError, which the command line reports as a usage error
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/.exec(text.trim());
  const unit = units[match?.[2] ?? ''];
  if (match === null || unit === undefined) {
    throw new InvalidArgumentError('Expected a number with a unit: ms, s, min, h, d or w, for example 30d.');
  }
  return Math.round(Number(match[1]) * unit);
}

/** A positive integer, as an option takes it. @throws InvalidArgumentError */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('Expected a positive whole number.');
  return Number(text);
}
