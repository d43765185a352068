interface Entry<Value> {
  readonly owner: string;
  readonly value: Value;
}

interface SharedCacheOptions<Value> {
  readonly most: number;
  readonly mostOfOwner: number;
  /** Called for each value that had to go. */
  readonly onEvict?: (value: Value) => void;
}

/**
 * What accounts share, by key: each value counts for the account that brought it.
 *
 * 1. *An account that brings very many values pushes out its own*, and nobody else's. Those used longest ago go first.
 */
export class SharedCache<Value> {
  /** Both used longest ago first. */
  private readonly entries = new Map<string, Entry<Value>>();
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
    this.delete(key);
    this.entries.set(key, { owner, value });
    const keys = this.keysOf.get(owner) ?? new Set();
    this.keysOf.set(owner, keys.add(key));
    const { most, mostOfOwner } = this.options;
    if (keys.size > mostOfOwner) this.evict(keys.values().next().value as string);
    if (this.entries.size > most) this.evict(this.entries.keys().next().value as string);
  }

  /** Notes that the value of a key was used. */
  touch(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.entries.set(key, entry);
    const keys = this.keysOf.get(entry.owner);
    keys?.delete(key);
    keys?.add(key);
  }

  delete(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    const keys = this.keysOf.get(entry.owner);
    keys?.delete(key);
    if (keys?.size === 0) this.keysOf.delete(entry.owner);
  }

  private evict(key: string): void {
    const entry = this.entries.get(key);
    this.delete(key);
    if (entry !== undefined) this.options.onEvict?.(entry.value);
  }
}
