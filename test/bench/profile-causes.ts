import type { Profiler } from 'node:inspector';

export type Frame = Pick<Profiler.ProfileNode['callFrame'], 'functionName' | 'url'>;

/** What V8 says of a moment in which no function ran. */
const STATES: Readonly<Record<string, string>> = {
  '(idle)': 'idle',
  '(garbage collector)': 'garbage collection',
  '(program)': 'native code without a name',
  '(root)': 'native code without a name',
};
export const IDLE = 'idle';

/** Which cause a frame belongs to, by its URL; the first that fits. `$1` is the package. */
const PLACES: readonly (readonly [RegExp, string])[] = [
  [/\/test\/bench\/profile-hook\.js$/, 'JSON'],
  [/\/node_modules\/kafkajs\/src\/protocol\//, 'kafkajs: encode and decode'],
  [/\/node_modules\/kafkajs\//, 'kafkajs: the rest'],
  [/\/node_modules\/(?:mysql2|sql-escaper|denque|iconv-lite|generate-function|lru\.min|long)\//, 'mysql2'],
  [/\/node_modules\/undici\/|^wasm:/, 'undici'],
  [/.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/.*/, '$1'],
  [/^node:internal\/crypto\/|^node:crypto$/, 'hashing'],
  [/^node:internal\/url$/, 'URLs'],
  [/^node:zlib$/, 'compression'],
];
/** Between JavaScript and the system calls of a socket. */
const SOCKET_CALLS = 'node:internal/stream_base_commons';
const TICKS = /^node:(?:internal\/)?(?:timers|process\/)/;

/**
 * The cause of one sample: the rule for all profiles.
 *
 * A sample counts for the innermost frame that belongs to somebody: a package, a file of ours, or the parts of Node that are causes
 * by themselves. What Node and V8 do for a caller counts for the caller, except for JSON, which the hook makes visible. Writing to
 * sockets is told apart.
 *
 * @param stack innermost first
 * @param root folder of our compiled code, with a slash at its end
 */
export function causeOf(stack: readonly Frame[], root: string): string {
  const [leaf, caller] = stack;
  if (leaf === undefined) return STATES['(root)'] as string;
  const state = leaf.url === '' ? STATES[leaf.functionName] : undefined;
  if (state !== undefined) return state;
  const owner = stack.map((frame) => ownerOf(frame, root)).find((one) => one !== undefined);
  const isWrite = leaf.url === '' && caller?.url === SOCKET_CALLS;
  if (owner !== undefined) return isWrite ? `${owner}: socket writes` : owner;
  const node = stack.find(({ url }) => url !== '');
  return node !== undefined && TICKS.test(node.url) ? 'node: timers and ticks' : 'node: sockets and streams';
}

function ownerOf({ url }: Frame, root: string): string | undefined {
  if (url === '') return undefined;
  const path = url.startsWith('file://') ? decodeURI(url.slice('file://'.length)) : url;
  const place = PLACES.find(([pattern]) => pattern.test(path));
  if (place !== undefined) return path.match(place[0])?.[1] === undefined ? place[1] : path.replace(...place);
  if (path.startsWith(root)) return path.slice(root.length).replace(/\.js$/, '.ts');
  return path.startsWith('node:') ? undefined : 'elsewhere';
}

/** Samples of a profile by cause, those of idle moments too. @param window from and to, microseconds of CLOCK_MONOTONIC */
export function samplesByCause(
  { nodes, samples = [], timeDeltas = [], startTime }: Profiler.Profile,
  root: string,
  window: readonly [number, number],
): Map<string, number> {
  const causes = causesOfNodes(nodes, root);
  const counts = new Map<string, number>();
  let at = startTime;
  for (const [n, id] of samples.entries()) {
    at += timeDeltas[n] ?? 0;
    if (at < window[0] || at > window[1]) continue;
    const cause = causes.get(id) as string;
    // Samples are counted, and not the time between them: a process that waits for a processor has none meanwhile.
    counts.set(cause, (counts.get(cause) ?? 0) + 1);
  }
  return counts;
}

function causesOfNodes(nodes: readonly Profiler.ProfileNode[], root: string): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const causes = new Map<number, string>();
  // With a list instead of calls: stacks may be deep.
  const open = nodes.slice(0, 1).map((node) => ({ node, stack: [node.callFrame] as readonly Frame[] }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, stack } = next;
    causes.set(node.id, causeOf(stack, root));
    for (const id of node.children ?? []) {
      const child = byId.get(id) as Profiler.ProfileNode;
      open.push({ node: child, stack: [child.callFrame, ...stack] });
    }
  }
  return causes;
}
