/** What ends a sentence, or a quotation, and no link. */
const MARKS = ".,;:!?'";
/** Closing brackets, and which open them. */
const PARTNERS = new Map([
  [')', '('],
  [']', '['],
  ['}', '{'],
]);
const OPENING = new Set(PARTNERS.values());
const BEGINS = /^https?:\/\/./iu;

/**
 * What is the link of an address in a text. A bracket at its end belongs to it only where it was opened within it, as in
 * `https://example.com/Mercury_(planet)`.
 * @param address from `http` on to the next blank
 * @returns empty where it is none
 */
export function linkOf(address: string): string {
  const opened = new Map<string, number>();
  for (const character of address) {
    const partner = OPENING.has(character) ? character : PARTNERS.get(character);
    if (partner === undefined) continue;
    opened.set(partner, (opened.get(partner) ?? 0) + (partner === character ? 1 : -1));
  }
  let end = address.length;
  for (; end > 0; end--) {
    const last = address.charAt(end - 1);
    if (MARKS.includes(last)) continue;
    const partner = OPENING.has(last) ? last : PARTNERS.get(last);
    if (partner === undefined) break;
    const count = opened.get(partner) ?? 0;
    if (partner !== last && count >= 0) break;
    opened.set(partner, count + (partner === last ? -1 : 1));
  }
  const link = address.slice(0, end);
  return BEGINS.test(link) ? link : '';
}
