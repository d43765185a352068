/** Clauses by which a statement takes something from the release that runs, or asks of it what it does not do. */
const CLAUSES: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['DROP TABLE', /\bDROP\s+(TEMPORARY\s+)?TABLE\b/i],
  // DROP INDEX, KEY, CHECK, CONSTRAINT, PRIMARY and FOREIGN KEY take no data, and refuse nothing.
  [
    'DROP COLUMN',
    /\bDROP\s+(?:COLUMN\b|(?!(?:TEMPORARY|TABLE|INDEX|KEY|CHECK|CONSTRAINT|PRIMARY|FOREIGN|DEFAULT|VIEW|TRIGGER|USER)\b))/i,
  ],
  ['RENAME', /\bRENAME\s+(?!INDEX\b|KEY\b)/i],
  ['CHANGE', /\bCHANGE\b/i],
  ['TRUNCATE', /\bTRUNCATE\b/i],
  [
    'ADD a unique key, a check or a foreign key',
    /\b(ADD\s+(CONSTRAINT\s+\S+\s+)?(UNIQUE|CHECK|FOREIGN)|CREATE\s+UNIQUE)\b/i,
  ],
];

/**
 * What of a migration's statement is not additive, by the words of its clauses; empty when workers of the release before go on with
 * it. A MODIFY may widen a column or narrow it, which its words do not say, so it is not among them.
 */
export function subtractionsIn(statement: string): readonly string[] {
  const bare = withoutNames(statement);
  const named = CLAUSES.filter(([, pattern]) => pattern.test(bare)).map(([name]) => name);
  return bare.split(/,\s*(?=ADD\b|MODIFY\b|DROP\b|ALTER\b)/i).some(wantsValue)
    ? [...named, 'ADD a column NOT NULL without a default']
    : named;
}

/** Those who do not know the column give it no value. */
function wantsValue(clause: string): boolean {
  return (
    /\bADD\s+(COLUMN\s+)?``/i.test(clause) &&
    /\bNOT\s+NULL\b/i.test(clause) &&
    !/\b(DEFAULT|GENERATED|AS\s*\(|AUTO_INCREMENT)/i.test(clause)
  );
}

/** Whether it changes a column in place: by copying the table, and perhaps for the worse. */
export function isModifying(statement: string): boolean {
  return /\bMODIFY\b/i.test(withoutNames(statement));
}

/** Names, texts and comments may hold any word. */
function withoutNames(statement: string): string {
  return statement
    .replaceAll(/'(?:[^'\\]|\\.|'')*'/g, "''")
    .replaceAll(/^\s*--.*$/gm, '')
    .replaceAll(/`[^`]*`/g, '``');
}
