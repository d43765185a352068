import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';

/** What /etc/resolv.conf says besides the servers. */
export interface SearchRules {
  /** Domains that are put behind a name. */
  readonly search: readonly string[];
  /** A name with at least so many dots is tried as it is first. */
  readonly ndots: number;
}

/** Longest list that a resolver keeps (resolv.conf(5) names no bound any more). */
const MAX_SEARCH = 16;

/** The addresses of names in a hosts file (hosts(5)). */
export function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = (line.split('#', 1)[0] as string).trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) {
      const lower = name.toLowerCase();
      hosts.set(lower, [...(hosts.get(lower) ?? []), address]);
    }
  }
  return hosts;
}

/** The search list and `ndots` of a resolv.conf; of several `search` or `domain` lines the last one counts. */
export function parseSearchRules(text: string): SearchRules {
  let search: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...values] = (line.split(/[#;]/, 1)[0] as string).trim().split(/\s+/);
    if (keyword === 'search') search = values.slice(0, MAX_SEARCH);
    else if (keyword === 'domain') search = values.slice(0, 1);
    else if (keyword === 'options') {
      const given = values.map((value) => /^ndots:(\d+)$/.exec(value)?.[1]).find((value) => value !== undefined);
      if (given !== undefined) ndots = Math.min(15, Number(given));
    }
  }
  return { search: search.map((domain) => domain.toLowerCase().replace(/^\.|\.$/g, '')).filter(Boolean), ndots };
}

/**
 * The names to ask for, in order (resolv.conf(5)): a name that ends with a dot as it is, one with enough dots first as it is,
 * and then with each domain of the search list.
 */
export function candidates(name: string, { search, ndots }: SearchRules): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const searched = search.map((domain) => `${name}.${domain}`);
  return name.split('.').length - 1 >= ndots ? [name, ...searched] : [...searched, name];
}

/** A file that is parsed again when it has changed; what is not there is empty. */
export class ParsedFile<T> {
  private stamp = '';
  private parsed: T;

  constructor(
    private readonly path: string,
    private readonly parse: (text: string) => T,
  ) {
    this.parsed = parse('');
  }

  async read(): Promise<T> {
    try {
      const { mtimeMs, size, ino } = await stat(this.path);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      if (stamp !== this.stamp) {
        this.parsed = this.parse(await readFile(this.path, 'utf8'));
        this.stamp = stamp;
      }
    } catch {
      // Without the file, or while it is being replaced, what was read before counts.
    }
    return this.parsed;
  }
}
