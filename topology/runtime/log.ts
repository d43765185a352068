import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import pretty from 'pino-pretty';

export type Log = Logger;

export interface LogOptions {
  readonly level: string;
  /** For a person at a terminal; JSON lines otherwise. */
  readonly pretty: boolean;
  /** Standard output when not given. */
  readonly destination?: DestinationStream;
}

export function createLog(options: LogOptions): Log {
  const settings = { level: options.level, base: null, timestamp: stdTimeFunctions.isoTime };
  if (!options.pretty) return options.destination ? pino(settings, options.destination) : pino(settings);
  const lines = pretty({ colorize: true, translateTime: 'SYS:HH:MM:ss.l', ...destinationOf(options), sync: true });
  return pino(settings, lines);
}

function destinationOf({ destination }: LogOptions): { destination?: DestinationStream } {
  return destination === undefined ? {} : { destination };
}
