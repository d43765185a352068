/** `0.9.0` is older than `0.10.0`, and `1.0.0-rc.1` than `1.0.0`. */
export function isOlder(version: string, other: string): boolean {
  const [own, others] = [partsOf(version), partsOf(other)];
  const byNumber = compare(own.number, others.number);
  if (byNumber !== 0) return byNumber < 0;
  if (own.before === '' || others.before === '') return own.before !== '';
  return compare(own.before, others.before) < 0;
}

/** What comes after `+` says nothing of age. */
function partsOf(version: string): { readonly number: string; readonly before: string } {
  const [, number = '', before = ''] = /^([^-+]*)(?:-([^+]*))?/.exec(version) ?? [];
  return { number, before };
}

function compare(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true });
}
