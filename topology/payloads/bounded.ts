import { z } from 'zod';

/** A list of so many members at most. Zod counts them before it looks at one, because there may be any number of them. */
export function boundedList<T extends z.ZodType>(member: T, most: number) {
  return z.array(member).max(most);
}

interface TextsBound {
  /** What they are called, for the error. */
  readonly called: string;
  readonly most: number;
  /** Of names and texts together. Each character is a byte where they are sent, or is refused. */
  readonly maxBytes: number;
}

/** Texts by their names. They are counted and measured before one of them is looked at, because there may be any number of any length. */
export function boundedTexts(name: z.ZodString, text: z.ZodString, bound: TextsBound) {
  return z
    .custom<Readonly<Record<string, string>>>((given) => isWithin(given, bound), {
      error: `expected at most ${bound.most} ${bound.called} with ${bound.maxBytes} bytes of names and values`,
      abort: true,
    })
    .refine((given) => !hasProto(given), { error: '__proto__: not a name', abort: true })
    .pipe(z.record(name, text));
}

/** Zod leaves this name out of what it gives back, without a word. */
function hasProto(given: unknown): boolean {
  return typeof given === 'object' && given !== null && Object.hasOwn(given, '__proto__');
}

function isWithin(given: unknown, { most, maxBytes }: TextsBound): boolean {
  if (typeof given !== 'object' || given === null) return true;
  if (Object.keys(given).length > most) return false;
  // What is no text is refused by the next check, with its name.
  const lengths = Object.entries(given).map(
    ([name, value]) => name.length + (typeof value === 'string' ? value.length : 0),
  );
  return lengths.reduce((sum, length) => sum + length, 0) <= maxBytes;
}
