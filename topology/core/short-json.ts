/** Unless the caller says so. */
const MOST_CHARACTERS = 80;
/** Levels of nesting that are looked into: what `toJSON` gives may be nested without being shown. */
const MAX_DEPTH = 100;
const MAX_BITS = 256;

/**
 * How a value begins as JSON on one line, for people who are told what is wrong with it. What is not shown is not looked at, so that
 * anything may be given, however long or deep, or nested in itself.
 * @param most characters before the dots that stand for the rest
 */
export function shortJson(value: unknown, most = MOST_CHARACTERS): string {
  const pieces = piecesOf(value, most, 1);
  let text = '';
  for (let next = pieces.next(); next.done !== true && text.length <= most; next = pieces.next()) text += next.value;
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

function* piecesOf(value: unknown, most: number, depth: number): Generator<string> {
  if (depth > MAX_DEPTH) yield '…';
  else if (typeof value !== 'object' || value === null) yield pieceOf(value, most);
  else if ('toJSON' in value && typeof value.toJSON === 'function') yield* piecesOf(value.toJSON(), most, depth + 1);
  else if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      yield index === 0 ? '[' : ',';
      yield* piecesOf(value[index], most, depth + 1);
    }
    yield value.length === 0 ? '[]' : ']';
  } else {
    let before = '{';
    for (const name of Object.keys(value)) {
      const member = (value as Readonly<Record<string, unknown>>)[name];
      if (member === undefined) continue;
      yield `${before}${pieceOf(name, most)}:`;
      yield* piecesOf(member, most, depth + 1);
      before = ',';
    }
    yield before === '{' ? '{}' : '}';
  }
}

function pieceOf(value: unknown, most: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, most + 1));
  if (typeof value !== 'bigint') return JSON.stringify(value) ?? typeof value;
  // Writing the digits of a very long one takes long.
  return BigInt.asIntN(MAX_BITS, value) === value ? String(value) : `an integer of more than ${MAX_BITS} bits`;
}
