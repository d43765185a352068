import { Host } from '../support/tenants/hosts';
import type { BenchRow } from './workload';

const ACCOUNTS = 50;
const RATE = 5;

/** How late the messages of the others were. */
export interface OthersFigures {
  readonly messages: number;
  /** Not accepted when the time was over. */
  readonly missing: number;
  /** Milliseconds; null for a message that is missing. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** Fifty ordinary accounts with a quick host each, and together five messages a second. */
export class Others {
  private constructor(
    private readonly hosts: readonly Host[],
    private readonly shared: Host,
  ) {}

  /** @param shared a host that some of them use when `rows` says so */
  static async start(shared: Host): Promise<Others> {
    return new Others(await Promise.all(Array.from({ length: ACCOUNTS }, () => Host.start())), shared);
  }

  /** Their messages from the instant on. @param sharesHost every second one goes to the shared host */
  rows(name: string, instant: number, seconds: number, sharesHost: boolean): BenchRow[] {
    return Array.from({ length: RATE * seconds }, (_, n) => {
      const dueAt = instant + Math.floor((n * 1_000) / RATE);
      const tag = `${name} ${n}`;
      const host = sharesHost && n % 2 === 1 ? this.shared : (this.hosts[n % ACCOUNTS] as Host);
      const headers = { 'x-due-at': String(dueAt), 'x-tag': tag };
      const payload = JSON.stringify({ url: host.urlOf('accepts'), headers, body: n });
      return { tag, account: `other-${n % ACCOUNTS}`, dueAt, payload };
    });
  }

  /** @returns the rows that have not been accepted yet */
  missing(rows: readonly BenchRow[]): BenchRow[] {
    const arrived = this.arrived();
    return rows.filter(({ tag }) => !arrived.has(tag));
  }

  judge(rows: readonly BenchRow[]): OthersFigures {
    const arrived = this.arrived();
    const late = rows.map(({ tag, dueAt }) => (arrived.get(tag) ?? Number.POSITIVE_INFINITY) - dueAt);
    late.sort((a, b) => a - b);
    const rank = (share: number) => {
      const value = late[Math.ceil(late.length * share) - 1] as number;
      return Number.isFinite(value) ? value : null;
    };
    const missing = late.filter((value) => !Number.isFinite(value)).length;
    return { messages: rows.length, missing, p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), max: rank(1) };
  }

  async close(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.close()));
  }

  /** When each message was accepted, by its tag. */
  private arrived(): Map<string, number> {
    const found = new Map<string, number>();
    for (const { arrivals } of [...this.hosts, this.shared]) {
      for (const { tag, at, accepted } of arrivals.list()) if (accepted && tag !== null) found.set(tag, at);
    }
    return found;
  }
}
