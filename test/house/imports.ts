import { dirname, join } from 'node:path';
import { isTest, type Sources } from './sources';

const IMPORT = /(?:\bfrom|\bimport\(|\brequire\(|\bimport)\s*'(\.[^']*)'/g;

/** The one file that imports what stands above it: it shows how everything is put together. */
const MAP = 'topology/delivery-topology.ts';

/** Which files each file imports, types included. */
type Imports = ReadonlyMap<string, readonly string[]>;

function importsOf(sources: Sources): Imports {
  return new Map(
    [...sources].map(([path, text]) => [
      path,
      [...text.matchAll(IMPORT)]
        .map((match) => `${join(dirname(path), match[1] as string)}.ts`)
        .filter((target) => sources.has(target)),
    ]),
  );
}

/** Files that import each other in a circle, types included. One text for each circle. */
export function circlesOfFiles(sources: Sources): string[] {
  return circles(importsOf(sources));
}

/**
 * Folders, and files beside folders, that import each other in a circle, at every level of the tree: the upper one could not
 * be read without the lower one, nor the other way round. In the tests only their support and rooms count.
 */
export function circlesOfSiblings(sources: Sources): string[] {
  const levels = new Map<string, Map<string, Set<string>>>();
  for (const [path, targets] of importsOf(sources)) {
    if (path === MAP) continue;
    for (const target of targets) {
      const [level, from, to] = apart(path, target);
      if (from === to) continue;
      const siblings = levels.get(level) ?? new Map<string, Set<string>>();
      levels.set(level, siblings);
      siblings.set(from, (siblings.get(from) ?? new Set()).add(to));
    }
  }
  return [...levels].flatMap(([level, siblings]) => {
    const graph = new Map([...siblings].map(([name, targets]) => [name, [...targets]]));
    return circles(graph)
      .filter((circle) => circle.split(' → ').some((name) => !name.endsWith('.ts')))
      .map((circle) => `${level || '.'}: ${circle}`);
  });
}

/** The deepest folder that holds both, and what of it each of them is in. */
function apart(one: string, other: string): [level: string, one: string, other: string] {
  const [a, b] = [one.split('/'), other.split('/')];
  let depth = 0;
  while (a[depth] === b[depth] && depth < a.length - 1) depth++;
  return [a.slice(0, depth).join('/'), a[depth] as string, b[depth] as string];
}

/** The shortest circle through each node that is in one; each circle once. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found = new Set<string>();
  for (const start of graph.keys()) {
    const circle = circleFrom(start, graph);
    if (circle === undefined) continue;
    const first = circle.indexOf(circle.toSorted()[0] as string);
    const text = [...circle.slice(first), ...circle.slice(0, first), circle[first]].join(' → ');
    found.add(text);
  }
  return [...found];
}

function circleFrom(start: string, graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const seen = new Set<string>();
  let paths: string[][] = [[start]];
  while (paths.length > 0) {
    const next: string[][] = [];
    for (const path of paths) {
      for (const target of graph.get(path.at(-1) as string) ?? []) {
        if (target === start) return path;
        if (seen.has(target)) continue;
        seen.add(target);
        next.push([...path, target]);
      }
    }
    paths = next;
  }
  return undefined;
}

/** Types and classes that two files export under one name. The CLI and the demo speak to people, not to the rooms. */
export function namesWithTwoOwners(sources: Sources): string[] {
  const owners = new Map<string, string[]>();
  for (const [path, text] of sources) {
    if (isTest(path) || path.startsWith('deploy/')) continue;
    for (const [, name] of text.matchAll(/^export (?:abstract )?(?:class|interface|type|enum) (\w+)/gm)) {
      owners.set(name as string, [...(owners.get(name as string) ?? []), path]);
    }
  }
  return [...owners].filter(([, paths]) => paths.length > 1).map(([name, paths]) => `${name}: ${paths.join(', ')}`);
}
