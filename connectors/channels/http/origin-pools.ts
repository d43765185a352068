import { type buildConnector, Pool } from 'undici';
import { MAX_ANSWER_HEAD_BYTES } from './interim-answers';
import { SharedCache } from './shared-cache';

/** Pools that are kept, of one account and of all; beyond it those that were used longest ago are closed. */
const MAX_ORIGINS_PER_ACCOUNT = 250;
const MAX_ORIGINS = 1_000;
/** A pool that nobody used for so long is closed. */
const MAX_IDLE_MS = 60_000;
/**
 * A pool is replaced after this time, because undici's pools never shrink: each keeps a client for every connection that it
 * ever had at once. The new one also looks the name up again.
 */
const MAX_AGE_MS = 300_000;
/** How often idle pools are looked for. */
const SWEEP_EVERY_MS = 5_000;

interface Entry {
  readonly pool: Pool;
  readonly madeAt: number;
  usedAt: number;
  /** Connections that are open now. */
  connected: number;
}

interface OriginPoolsOptions {
  /** To one origin, at most. */
  readonly connections: number;
  readonly connect: buildConnector.connector;
  readonly monotonic: () => number;
  readonly maxOrigins?: number;
  readonly maxOriginsPerAccount?: number;
}

/**
 * Keep-alive connections, a pool for each origin. Requests are never pipelined, because a request would wait behind the
 * slow answer to another one. Undici's own time-outs are off, because they count from the request or between two chunks;
 * the channel bounds the whole attempt.
 *
 * 1. *The number of pools is bounded, and a burst's connections are forgotten after it*: idle pools are closed, old ones
 *    replaced. A pool that is closed first finishes what is under way.
 */
export class OriginPools {
  private readonly entries: SharedCache<Entry>;
  private sweptAt = 0;

  constructor(private readonly options: OriginPoolsOptions) {
    this.entries = new SharedCache({
      most: options.maxOrigins ?? MAX_ORIGINS,
      mostOfOwner: options.maxOriginsPerAccount ?? MAX_ORIGINS_PER_ACCOUNT,
      onEvict: ({ pool }) => closeGently(pool),
    });
  }

  /** @param account that wants it */
  get(origin: string, account: string): Pool {
    const now = this.options.monotonic();
    if (now - this.sweptAt > SWEEP_EVERY_MS) this.sweep(now);
    const entry = this.entries.get(origin);
    if (entry === undefined || now - entry.madeAt > MAX_AGE_MS) return this.open(origin, account, now);
    entry.usedAt = now;
    this.entries.touch(origin, account);
    return entry.pool;
  }

  /** Whether a request can go over a connection that is there already. */
  isConnected(origin: string): boolean {
    const entry = this.entries.get(origin);
    return entry !== undefined && entry.connected > 0;
  }

  /** How many origins are kept. */
  get size(): number {
    return this.entries.size;
  }

  /** Ends every connection, with what is under way on it. */
  async destroy(): Promise<void> {
    const pools = [...this.entries].map(([origin, { pool }]) => {
      this.entries.delete(origin);
      return pool;
    });
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  private open(origin: string, account: string, now: number): Pool {
    const old = this.entries.get(origin);
    if (old !== undefined) closeGently(old.pool);
    const pool = new Pool(origin, {
      connections: this.options.connections,
      pipelining: 1,
      maxHeaderSize: MAX_ANSWER_HEAD_BYTES,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: this.options.connect,
    });
    const entry: Entry = { pool, madeAt: now, usedAt: now, connected: 0 };
    pool.on('connect', () => entry.connected++).on('disconnect', () => entry.connected--);
    this.entries.set(origin, account, entry);
    return pool;
  }

  private sweep(now: number): void {
    this.sweptAt = now;
    for (const [origin, { usedAt }] of this.entries) {
      if (now - usedAt <= MAX_IDLE_MS) return;
      this.close(origin);
    }
  }

  private close(origin: string): void {
    const entry = this.entries.get(origin);
    if (entry === undefined) return;
    this.entries.delete(origin);
    closeGently(entry.pool);
  }
}

/** Finishes what is under way first. */
function closeGently(pool: Pool): void {
  void pool.close();
}
