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
  const settings = {
    level: options.level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    serializers: { err: (error: unknown) => errorDetails(error, MAX_CAUSES) },
  };
  if (!options.pretty) return options.destination ? pino(settings, options.destination) : pino(settings);
  const lines = pretty({ colorize: true, translateTime: 'SYS:HH:MM:ss.l', ...destinationOf(options), sync: true });
  return pino(settings, lines);
}

/** How many causes of an error are shown. */
const MAX_CAUSES = 4;

/**
 * What is shown of an error. Other properties are left out: the driver's errors carry the whole statement, which may be
 * megabytes long and holds what belongs to users.
 */
function errorDetails(error: unknown, causes: number): object | string {
  if (!(error instanceof Error)) return String(error);
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  return {
    type: error.constructor.name,
    message: error.message,
    stack: error.stack,
    ...(code === undefined ? {} : { code }),
    ...(errno === undefined ? {} : { errno }),
    ...(error.cause === undefined || causes === 0 ? {} : { cause: errorDetails(error.cause, causes - 1) }),
  };
}

function destinationOf({ destination }: LogOptions): { destination?: DestinationStream } {
  return destination === undefined ? {} : { destination };
}
