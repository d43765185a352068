interface Entry<Value> {
  /** The first accounts that brought or used it, and have not pushed it out since. At least one. */
  readonly owners: Set<string>;
  value: Value;
}

interface SharedCacheOptions<Value> {
  readonly most: number;
  readonly mostOfOwner: number;
  /** Called for each value that had to go. */
  readonly onEvict?: (value: Value) => void;
}

/** More accounts may use a value; it does not count for them. */
const MAX_OWNERS = 8;

/**
 * What accounts share, by key: each value counts for the accounts that brought or used it, and stays while one of them has
 * room for it.
 *
 * 1. *An account that brings very many values pushes out its own*, and nobody else's: what another account uses too is left
 *    to that one. Those used longest ago go first.
 */
export class SharedCache<Value> {
  /** Both used longest ago first. */
  private readonly entries = new Map<string, Entry<Value>>();
  /** The last of them. A crowd's requests go to few origins, and a map that is small is made anew with every few of its changes. */
  private newest: Entry<Value> | undefined;
  private readonly keysOf = new Map<string, Set<string>>();

  constructor(private readonly options: SharedCacheOptions<Value>) {}

  get size(): number {
    return this.entries.size;
  }

  get(key: string): Value | undefined {
    return this.entries.get(key)?.value;
  }

  /** Keys and values, those used longest ago first. */
  *[Symbol.iterator](): IterableIterator<readonly [key: string, value: Value]> {
    for (const [key, { value }] of this.entries) yield [key, value];
  }

  /** Keeps a value as the one used last, in place of the one before it under the same key. */
  set(key: string, owner: string, value: Value): void {
    const entry = this.entries.get(key);
    if (entry === undefined) this.entries.set(key, { owners: new Set(), value });
    else entry.value = value;
    this.touch(key, owner);
    if (this.entries.size > this.options.most) this.evict(this.entries.keys().next().value as string);
  }

  /** Exchanges the value of a key that is kept; otherwise does nothing. */
  replace(key: string, value: Value): void {
    const entry = this.entries.get(key);
    if (entry !== undefined) entry.value = value;
  }

  /** Notes that an account used the value of a key. */
  touch(key: string, owner: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    if (entry !== this.newest) {
      this.entries.delete(key);
      this.entries.set(key, entry);
      this.newest = entry;
    }
    if (entry.owners.size < MAX_OWNERS) entry.owners.add(owner);
    if (!entry.owners.has(owner)) return;
    const keys = this.keysOf.get(owner) ?? new Set();
    keys.delete(key);
    this.keysOf.set(owner, keys.add(key));
    if (keys.size > this.options.mostOfOwner) this.pushOut(keys.values().next().value as string, owner);
  }

  delete(key: string): void {
    for (const owner of this.entries.get(key)?.owners ?? []) this.disown(key, owner);
    this.entries.delete(key);
  }

  /** The value goes when no other account has room for it. */
  private pushOut(key: string, owner: string): void {
    const owners = this.entries.get(key)?.owners;
    if (owners?.size === 1) {
      this.evict(key);
      return;
    }
    owners?.delete(owner);
    this.disown(key, owner);
  }

  private disown(key: string, owner: string): void {
    const keys = this.keysOf.get(owner);
    keys?.delete(key);
    if (keys?.size === 0) this.keysOf.delete(owner);
  }

  private evict(key: string): void {
    const entry = this.entries.get(key);
    this.delete(key);
    if (entry !== undefined) this.options.onEvict?.(entry.value);
  }
}
