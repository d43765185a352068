/** The first `length` characters of a text, counted as MySQL's columns count them: by code points, never half of one. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : Array.from(text).slice(0, length).join('');
}
