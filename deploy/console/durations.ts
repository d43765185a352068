import { InvalidArgumentError } from 'commander';
import { DURATION_FORM, parseDurationMs } from '../../topology/core/quantities';

/**
 * Milliseconds from `30d`, `12h`, `90s`: what an option takes as a length of time.
 * @throws InvalidArgumentError, which the command line reports as a usage error
 */
export function parseDuration(text: string): number {
  const milliseconds = parseDurationMs(text);
  if (milliseconds === undefined) throw new InvalidArgumentError(`Expected ${DURATION_FORM}.`);
  return milliseconds;
}

/** A positive integer, as an option takes it. @throws InvalidArgumentError */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('Expected a positive whole number.');
  return Number(text);
}

/** The same, or 0. @throws InvalidArgumentError */
export function parseCountOrNone(text: string): number {
  if (text !== '0' && !/^[1-9]\d{0,14}$/.test(text))
    throw new InvalidArgumentError('Expected a whole number, 0 or more.');
  return Number(text);
}

/** A TCP port; 0 for any free one. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('Expected a port, 0 to 65535.');
  return port;
}
