/** One privilege on one object, as a GRANT says it. */
export interface Privilege {
  /** `UPDATE` */
  readonly name: string;
  /** Of the columns; empty when it is for the whole object. */
  readonly columns: readonly string[];
  /** `downspout.workers`, `downspout.*` or `*.*`, without quotes. */
  readonly on: string;
}

/** @param right `SELECT, UPDATE (id, state) ON db.table`, with or without backticks */
export function privilegesOf(right: string): Privilege[] {
  const [, names = '', on = ''] = /^(.+?) ON (.+)$/.exec(right.replaceAll('`', '')) ?? [];
  return [...names.matchAll(/([A-Z][A-Z_ ]*[A-Z])\s*(?:\(([^)]*)\))?/g)].map(([, name = '', columns = '']) => ({
    name,
    columns: columns === '' ? [] : columns.split(',').map((column) => column.trim()),
    on,
  }));
}

/** As a GRANT says them, one line for each object. */
export function rightsText(privileges: readonly Privilege[]): string[] {
  const byObject = new Map<string, string[]>();
  for (const { name, columns, on } of privileges) {
    const words = byObject.get(on) ?? [];
    words.push(columns.length === 0 ? name : `${name} (${columns.join(', ')})`);
    byObject.set(on, words);
  }
  return [...byObject].map(([on, words]) => `${words.join(', ')} ON ${quoted(on)}`);
}

function quoted(on: string): string {
  return on
    .split('.')
    .map((name) => (name === '*' ? name : `\`${name}\``))
    .join('.');
}

/**
 * What is missing of the rights that a user needs.
 * @param given the lines of SHOW GRANTS, which has those of active roles too
 */
export function missingOf(needed: readonly string[], given: readonly string[]): Privilege[] {
  const granted = given.flatMap((line) => (line.startsWith('GRANT ') ? linePrivileges(line.slice(6), ' TO ') : []));
  const revoked = given.flatMap((line) => (line.startsWith('REVOKE ') ? linePrivileges(line.slice(7), ' FROM ') : []));
  return needed.flatMap(privilegesOf).flatMap((one) => {
    const same = granted.filter((other) => other.name === one.name || other.name === 'ALL PRIVILEGES');
    const isWhole = same.some(
      (other) =>
        other.columns.length === 0 &&
        reaches(other.on, one.on) &&
        !(other.on === '*.*' && revoked.some((taken) => taken.name === one.name && reaches(taken.on, one.on))),
    );
    if (isWhole) return [];
    const columns = new Set(same.filter((other) => other.on === one.on).flatMap((other) => other.columns));
    const lacks = one.columns.filter((column) => !columns.has(column));
    return one.columns.length > 0 && lacks.length === 0 ? [] : [{ ...one, columns: lacks }];
  });
}

/** Of `SELECT ON `a`.`b` TO …`. A line that grants a role has no ON. */
function linePrivileges(line: string, end: string): Privilege[] {
  const text = line.slice(0, line.lastIndexOf(end));
  return text.includes(' ON ') ? privilegesOf(text) : [];
}

/** Whether what is granted on `wide` holds on `narrow`. Of a whole database, the name is a pattern. */
function reaches(wide: string, narrow: string): boolean {
  if (wide === '*.*' || wide === narrow) return true;
  if (!wide.endsWith('.*')) return false;
  const pattern = wide
    .slice(0, -2)
    .replace(/\\([_%])|([_%])|([^\w\\])/g, (_, literal: string, wild: string, other: string) =>
      literal === undefined ? ({ _: '.', '%': '.*' }[wild] ?? `\\${other}`) : literal,
    );
  return new RegExp(`^${pattern}$`).test(narrow.slice(0, narrow.lastIndexOf('.')));
}
