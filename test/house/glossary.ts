/** The words that the table of docs/how-it-works.md explains, in its order. */
export function wordsOf(page: string): string[] {
  const [, table = ''] = page.split(/^## The words$/m);
  return [...(table.split(/^## /m)[0] as string).matchAll(/^\| ([^|]+) \|/gm)]
    .map((match) => match[1] as string)
    .filter((cell) => cell !== 'word' && !cell.startsWith('-'))
    .flatMap((cell) => cell.split(', '));
}

/** Words that are explained more than once. */
export function repeatedWords(page: string): string[] {
  const words = wordsOf(page);
  return [...new Set(words.filter((word, index) => words.indexOf(word) < index))];
}
