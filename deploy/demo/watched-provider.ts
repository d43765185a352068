import type { Clock } from '../../topology/core/clock';
import type { FakeAnswer, FakeProtocol, FakeRequest } from '../fakes/fake-provider';
import type { ReceivedRequest } from './arrivals';

const NOTE = /([\w-]+), revision (\d+), due (\d+)/;

/** The text of a message, from which the provider's witness reads what it is. @param dueAt epoch milliseconds */
export function noteOf(key: string, revision: number, dueAt: number): string {
  return `${key}, revision ${revision}, due ${dueAt}`;
}

/** A provider that is played, with a note of every request that would have made a message visible: the witness of its channel. */
export class WatchedProvider implements FakeProtocol {
  /** In the order in which they were answered. */
  readonly requests: ReceivedRequest[] = [];
  /** Posts that were seen, by the key of their message. */
  private readonly seen = new Map<string, number>();

  /** @param run begins the keys of this demo's messages: what a demo that was killed has left comes too, and is none of them */
  constructor(
    private readonly fake: FakeProtocol,
    private readonly clock: Pick<Clock, 'now'>,
    private readonly run: string,
  ) {}

  get name(): string {
    return this.fake.name;
  }

  publishes(request: FakeRequest): boolean {
    return this.fake.publishes(request);
  }

  throttled(afterMs: number): FakeAnswer {
    return this.fake.throttled(afterMs);
  }

  posts(): readonly unknown[] {
    return this.fake.posts();
  }

  async handle(request: FakeRequest): Promise<FakeAnswer> {
    if (!this.fake.publishes(request)) return this.fake.handle(request);
    const at = this.clock.now();
    const answer = await this.fake.handle(request);
    const [, key = '', revision = '', due = ''] = NOTE.exec(request.body.toString()) ?? [];
    if (key !== '' && !key.startsWith(`${this.run}-`)) return answer;
    const dueAt = due === '' ? null : Number(due);
    this.requests.push({ key, tag: `${key}#${revision}`, dueAt, at, accepted: this.isNew(key) });
    return answer;
  }

  /** What counts is what the provider has afterwards: it may have refused the request, or have had the message before. */
  private isNew(key: string): boolean {
    const count = this.fake.posts().filter((post) => NOTE.exec(JSON.stringify(post))?.[1] === key).length;
    const before = this.seen.get(key) ?? 0;
    this.seen.set(key, count);
    return count > before;
  }
}
