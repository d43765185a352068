import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isModifying, subtractionsIn } from '../../connectors/mysql/schema/additive';

const folder = join(__dirname, '../../connectors/mysql/schema/migrations');
/** Those before it came before there were releases to go back to. */
const FIRST = 33;
/** Migrations whose MODIFY only widens a column, such as by one more value at the end of an enum. */
const widening: ReadonlySet<string> = new Set(['0036_state_late.sql', '0039_outcome_late.sql']);

/** Texts of all migrations, by the names of their files. */
export function migrations(): ReadonlyMap<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

/** Workers of two releases use one schema during a roll and after a rollback, so a migration only adds. `0033_x.sql: RENAME`. */
export function migrationsThatSubtract(texts: ReadonlyMap<string, string>): string[] {
  return [...texts]
    .filter(([name]) => Number(name.slice(0, 4)) >= FIRST)
    .flatMap(([name, text]) => {
      const modifies = isModifying(text) && !widening.has(name) ? ['MODIFY'] : [];
      return [...subtractionsIn(text), ...modifies].map((what) => `${name}: ${what}`);
    });
}
