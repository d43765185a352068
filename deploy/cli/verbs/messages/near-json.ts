import { MAX_PAYLOAD_BYTES } from '../../../../topology/payloads/payloads';

/** Words of other languages where JSON has a value. */
const WORDS = String.raw`-?\b(?:NaN|Infinity|None|True|False|undefined)\b`;
/**
 * Texts in either quotes, a comma that nothing follows, a blank that JSON does not know, a word: what is mended, or passed over whole.
 * A text that does not end reaches to the end, so that no character is looked at twice.
 */
const PARTS = new RegExp(String.raw`"(?:[^"\\]+|\\.)*"?|'(?:[^'\\]+|\\.)*'?|,(?=\s*[\]}])|[^\S \t\r\n]|${WORDS}`, 'gs');
/** JSON has those from U+007F on in its texts. */
const CONTROL = /[^\P{Cc}\x7f-\x9f]/gu;

/**
 * What keeps a text from being JSON although it was surely meant so, and what to do about it; undefined for any other text.
 * Without that it would leave as a text, and its receiver could not read it.
 */
export function slipOf(text: string): string | undefined {
  if (text.length > MAX_PAYLOAD_BYTES || !/^\s*[[{]/.test(text)) return undefined;
  if (isJsonWhen(text, /[“”„«»‟]/g)) {
    return 'JSON in typographic quotes (“ ”), which a word processor puts in place of straight ones (")';
  }
  if (isJsonWhen(text, /\\"/g)) return 'JSON with its quotes written as \\"; write them without backslashes';
  const slips: string[] = [];
  const mended = text.replace(PARTS, (part) => {
    const [mend, slip] = mendingOf(part);
    if (slip !== undefined) slips.push(slip);
    return mend;
  });
  return isJson(mended) ? slips[0] : undefined;
}

/** What stands in place of a part in JSON, and what was wrong with it. */
function mendingOf(part: string): [mend: string, slip?: string] {
  const inner = part.slice(1, -1);
  switch (part.charAt(0)) {
    case '"':
      if (part.search(CONTROL) === -1) return [part];
      return [part.replace(CONTROL, ' '), 'JSON with a line break or tab inside of a text; write it as \\n or \\t'];
    case "'": {
      const text = inner.replaceAll("\\'", "'").replace(/\\?"/g, '\\"').replace(CONTROL, ' ');
      return [`"${text}"`, 'JSON in single quotes (\'); write double ones (")'];
    }
    case ',':
      return ['', 'JSON with a comma that nothing follows; leave it out'];
    default: {
      if (/\s/.test(part)) return [' ', `JSON with a blank that JSON does not know (${codeOf(part)}); write a space`];
      return ['null', `JSON with ${part}, which is no value of JSON`];
    }
  }
}

function codeOf(character: string): string {
  return `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Whether it is JSON when these are straight quotes. */
function isJsonWhen(text: string, quotes: RegExp): boolean {
  return text.search(quotes) !== -1 && isJson(text.replaceAll(quotes, '"'));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
