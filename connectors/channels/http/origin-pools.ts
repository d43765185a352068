import { type buildConnector, Pool } from 'undici';

/** Beyond it the pools that were used longest ago are closed. */
const MAX_ORIGINS = 1_000;

/**
 * Keep-alive connections, a pool for each origin. Requests are never pipelined, because a request would wait behind the
 * slow answer to another one. Undici's own time-outs are off, because they count from the request or between two chunks;
 * the channel bounds the whole attempt.
 */
export class OriginPools {
  private readonly pools = new Map<string, Pool>();

  /** @param connections to one origin, at most */
  constructor(
    private readonly connections: number,
    private readonly connect: buildConnector.connector,
    private readonly maxOrigins = MAX_ORIGINS,
  ) {}

  get(origin: string): Pool {
    let pool = this.pools.get(origin);
    if (pool !== undefined) {
      // The order of use matters only when pools may have to be closed.
      if (this.pools.size * 2 > this.maxOrigins) {
        this.pools.delete(origin);
        this.pools.set(origin, pool);
      }
      return pool;
    }
    pool = new Pool(origin, {
      connections: this.connections,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: this.connect,
    });
    this.pools.set(origin, pool);
    this.evict();
    return pool;
  }

  /** How many origins are kept. */
  get size(): number {
    return this.pools.size;
  }

  /** Ends every connection, with what is under way on it. */
  async destroy(): Promise<void> {
    const pools = [...this.pools.values()];
    this.pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  private evict(): void {
    for (const [origin, pool] of this.pools) {
      if (this.pools.size <= this.maxOrigins) return;
      this.pools.delete(origin);
      // Finishes what is under way first.
      void pool.close();
    }
  }
}
