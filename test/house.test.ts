import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repeatedWords, wordsOf } from './house/glossary';
import { guaranteesOf, guaranteesWithoutTest } from './house/guarantees';
import { circlesOfFiles, circlesOfSiblings, namesWithTwoOwners } from './house/imports';
import { isTest, planted, repository, type Sources } from './house/sources';

const sources = repository();

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

  it('listens for signals in one place, which knows whether one came', () => {
    const listening = (all: Sources) =>
      [...all].flatMap(([path, text]) =>
        !isTest(path) && /process\s*\.(on|once)\((?!'SIG\w+', \(\) => undefined)('SIG|signal)/.test(text) ? [path] : [],
      );
    expect(listening(sources)).toEqual([]);
    const listener = planted(sources, { 'deploy/a.ts': `process.once('SIGTERM', end);` });
    expect(listening(listener)).toEqual(['deploy/a.ts']);
  });

  it('has every word of the glossary there once', () => {
    const page = readFileSync(join(__dirname, '../docs/how-it-works.md'), 'utf8');
    expect(wordsOf(page).length).toBeGreaterThan(25);
    expect(repeatedWords(page)).toEqual([]);
    const again = page.replace('| message |', '| message |  |\n| lag, message |');
    expect(repeatedWords(again)).toEqual(['message', 'lag']);
  });
});
