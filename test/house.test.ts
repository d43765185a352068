import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repeatedWords, wordsOf } from './house/glossary';
import { guaranteesOf, guaranteesWithoutTest } from './house/guarantees';
import { circlesOfFiles, circlesOfSiblings, namesWithTwoOwners } from './house/imports';
import { migrations, migrationsThatSubtract } from './house/migrations';
import { isTest, planted, repository, type Sources } from './house/sources';

const sources = repository();

/** Files that listen for a signal by themselves; one that only ignores it may. */
function listening(all: Sources): string[] {
  const pattern = /process\s*\.(on|once)\((?!'SIG\w+', \(\) => undefined)('SIG|signal)/;
  return [...all].flatMap(([path, text]) => (!isTest(path) && pattern.test(text) ? [path] : []));
}

/** Files that take an instant from the local time of a session. In the hour that autumn repeats there are two instants for it. */
function byLocalTime(all: Sources): string[] {
  const pattern =
    /UNIX_TIMESTAMP\(\s*(NOW|CURRENT_|LOCALTIME|SYSDATE|CAST|CONVERT|TIMESTAMP|STR_TO_DATE)|FROM_UNIXTIME/i;
  return [...all].flatMap(([path, text]) =>
    !isTest(path) && text.split('\n').some((line) => pattern.test(line) && !/^\s*(\*|\/\*)/.test(line)) ? [path] : [],
  );
}

describe('the house', () => {
  it('has one owner for the name of each exported type', () => {
    expect(namesWithTwoOwners(sources)).toEqual([]);
    const two = planted(sources, {
      'spouts/a.ts': 'export interface Position { at: number }',
      'bolts/a.ts': 'export abstract class Position {}',
      'deploy/a.ts': 'export type Position = 1;',
    });
    expect(namesWithTwoOwners(two)).toEqual(['Position: spouts/a.ts, bolts/a.ts']);
  });

  it('has no files that import each other in a circle, types included', () => {
    expect(circlesOfFiles(sources)).toEqual([]);
    const three = planted(sources, {
      'spouts/a.ts': `import type { B } from './read/b';`,
      'spouts/read/b.ts': `export type B = import('../c').C;`,
      'spouts/c.ts': `export { a } from './a';`,
    });
    expect(circlesOfFiles(three)).toEqual(['spouts/a.ts → spouts/read/b.ts → spouts/c.ts → spouts/a.ts']);
  });

  it('has no folders side by side that import each other', () => {
    expect(circlesOfSiblings(sources)).toEqual([]);
    const folders = planted(new Map(), {
      'bolts/send/a.ts': `import type { B } from '../claim/b';`,
      'bolts/claim/b.ts': '',
      'bolts/claim/c.ts': `import { d } from '../send/deep/d';`,
      'bolts/send/deep/d.ts': '',
    });
    expect(circlesOfSiblings(folders)).toEqual(['bolts: claim → send → claim']);
    const rooms = planted(new Map(), {
      'topology/core/a.ts': `import type { B } from '../../spouts/b';`,
      'spouts/b.ts': `import type { C } from '../bolts/c';`,
      'bolts/c.ts': `import type { D } from '../topology/d';`,
      'topology/d.ts': '',
    });
    expect(circlesOfSiblings(rooms)).toEqual(['.: bolts → topology → spouts → bolts']);
  });

  it('has no folder that imports a file beside it which imports the folder', () => {
    const beside = planted(new Map(), {
      'bolts/send-bolt.ts': `import { a } from './claim/a';`,
      'bolts/claim/a.ts': `import type { Options } from '../send-bolt';`,
    });
    expect(circlesOfSiblings(beside)).toEqual(['bolts: claim → send-bolt.ts → claim']);
  });

  it('lets only the map import what stands above it', () => {
    const files = { 'spouts/b.ts': `import type { C } from '../topology/core/c';`, 'topology/core/c.ts': '' };
    const arrow = `import { b } from '../spouts/b';`;
    expect(circlesOfSiblings(planted(new Map(), { ...files, 'topology/delivery-topology.ts': arrow }))).toEqual([]);
    expect(circlesOfSiblings(planted(new Map(), { ...files, 'topology/other.ts': arrow }))).toHaveLength(1);
  });

  it('has a test for every guarantee that a docstring numbers', () => {
    expect(guaranteesOf(sources).length).toBeGreaterThan(60);
    expect(guaranteesWithoutTest(sources)).toEqual([]);
  });

  it('finds a guarantee that no test is named after', () => {
    const promise = [
      '/**',
      ' * Keeps promises.',
      ' *',
      ' * 1. Nothing is `lost`, and nothing',
      ' *    is sent twice: the row says so. Really.',
      ' * 2. **No flood.** A tuple comes once.',
      ' *',
      ' * Text that belongs to none.',
      ' */',
      'export class A {}',
    ].join('\n');
    const tested = {
      'bolts/a.ts': promise,
      'test/a.test.ts': `it('1. Nothing is lost, and nothing is sent twice', f);`,
    };
    expect(guaranteesWithoutTest(planted(new Map(), tested))).toEqual(['bolts/a.ts: No flood.']);
    const all = { ...tested, 'test/b.test.ts': 'describe.each([1])("no flood", f);' };
    expect(guaranteesWithoutTest(planted(new Map(), all))).toEqual([]);
  });

  it('has no migration that takes anything from the release that runs', () => {
    expect(migrationsThatSubtract(migrations())).toEqual([]);
    const made = {
      '0033_a.sql': 'ALTER TABLE `a` DROP `b`;',
      '0034_b.sql': 'DROP TABLE `a`;',
      '0035_c.sql': 'ALTER TABLE `a` RENAME COLUMN `b` TO `c`;',
      '0036_d.sql': "ALTER TABLE `a` ADD COLUMN `b` int NOT NULL COMMENT 'x', ADD COLUMN `c` int NOT NULL DEFAULT 0;",
      '0037_e.sql': 'ALTER TABLE `a` ADD CONSTRAINT `b` CHECK (`c` > 0);',
      '0038_f.sql': "ALTER TABLE `a` MODIFY COLUMN `b` enum('x');",
      // These take nothing, whatever their texts say.
      '0039_g.sql':
        "ALTER TABLE `a` DROP INDEX `b`, ADD COLUMN `rename` int COMMENT 'DROP TABLE, CHANGE, it''s all', RENAME INDEX `d` TO `e`;",
      '0040_h.sql': 'CREATE TABLE `a` (`b` int NOT NULL, UNIQUE KEY `c` (`b`));',
      '0041_i.sql': 'ALTER TABLE `a` ADD COLUMN `b` int GENERATED ALWAYS AS (1) STORED NOT NULL;\n-- DROP TABLE `a`',
    };
    expect(migrationsThatSubtract(new Map(Object.entries(made)))).toEqual([
      '0033_a.sql: DROP COLUMN',
      '0034_b.sql: DROP TABLE',
      '0035_c.sql: RENAME',
      '0036_d.sql: ADD a column NOT NULL without a default',
      '0037_e.sql: ADD a unique key, a check or a foreign key',
      '0038_f.sql: MODIFY',
    ]);
  });

  it('listens for signals in one place, which knows whether one came', () => {
    expect(listening(sources)).toEqual([]);
    const listener = planted(sources, { 'deploy/a.ts': `process.once('SIGTERM', end);` });
    expect(listening(listener)).toEqual(['deploy/a.ts']);
  });

  it('takes no instant from the local time of a session', () => {
    expect(byLocalTime(sources)).toEqual([]);
    const local = planted(sources, {
      'connectors/a.ts': "export const NOW = 'UNIX_TIMESTAMP(NOW(3))';",
      'connectors/b.ts': "export const AT = 'FROM_UNIXTIME(1)';",
      'connectors/c.ts': "export const COLUMN = 'UNIX_TIMESTAMP(m.updated_at), UNIX_TIMESTAMP()';",
    });
    expect(byLocalTime(local)).toEqual(['connectors/a.ts', 'connectors/b.ts']);
  });

  it('has every word of the glossary there once', () => {
    const page = readFileSync(join(__dirname, '../docs/how-it-works.md'), 'utf8');
    expect(wordsOf(page).length).toBeGreaterThan(25);
    expect(repeatedWords(page)).toEqual([]);
    const again = page.replace('| message |', '| message |  |\n| lag, message |');
    expect(repeatedWords(again)).toEqual(['message', 'lag']);
  });
});
