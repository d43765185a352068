/** Shapes of times that people and spreadsheets write, and that cannot be taken: each means several instants, or none. */
const shapes: readonly (readonly [shape: RegExp, what: string])[] = [
  [
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::[0-5]\d(?:[.,]\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?(?: ?(?:\[.+\]|\(.+\)|\p{L}[\p{L}/_]+)|(?: [+-]|\u2212)\d\d:?\d\d(?: \p{L}+)?)$/u,
    'a time whose zone is written otherwise: end it with Z or an offset alone, as in 2027-01-31T09:00:00+01:00',
  ],
  [/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:60(?!\d)/, 'a leap second: no clock here has one, so write the second before it'],
  [/^\d{8}[Tt]\d{4,6}/, 'a time without separators: write it as 2027-01-31T09:00:00+01:00'],
  [
    /^\d{1,2}[./ -]\d{1,2}[./ -]\d{2,4}\b|^\d{4}[./]\d{1,2}[./]\d{1,2}\b|^\d{4}-\d{1,2}-\d{1,2}\b/,
    'a date as one country writes it: put the year first and a zone last, as in 2027-01-31T09:00:00+01:00',
  ],
  [
    /^(?:\p{L}+\.?,? *)?\d{1,2}\.?[ -]\p{L}{3,}|^\p{L}{3,}\.? \d{1,2},? \d{4}/u,
    'a date in words: write it as 2027-01-31T09:00:00+01:00',
  ],
  [/^\d{1,3}(?:[.,'’ \u00a0\u202f]\d{3})+$/, 'a number with separators: write its digits alone'],
  [/^[+-]?\d(?:[.,]\d+)?E[+-]?\d+$/i, 'a number that a spreadsheet has rounded: format its column as text'],
  [/^\d{5}[.,]\d+$/, 'a date of a spreadsheet: write it as text'],
  [/^\d{10}[.,]\d+$/, 'seconds with a fraction: multiply them by 1000'],
  [/^\d{1,2}:\d{2}/, 'a time without a date: write both, as in 2027-01-31T09:00:00+01:00'],
];

/** What a text that is no time looks like, for the end of an error's sentence; '' when it is not known. */
export function looksLike(time: unknown): string {
  if (typeof time !== 'string') return '';
  const shape = shapes.find(([pattern]) => pattern.test(time.trim()));
  return shape === undefined ? '' : `, which looks like ${shape[1]}`;
}
