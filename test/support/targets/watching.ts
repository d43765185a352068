import { Halted, type Watch } from '../../../deploy/targets/engine';

/** A watch that says when it was asked, and halts the rollout where it is told to. */
export class WatchDouble implements Watch {
  /** Components that were replaced and watched, in turn. */
  readonly seen: string[] = [];
  /** `replaced webhook`, `during`, `look` or `end`: there it halts. */
  haltAt: string | null = null;

  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.haltIf('during');
    return work(new AbortController().signal);
  }

  async look(): Promise<void> {
    this.haltIf('look');
  }

  async replaced(components: readonly string[]): Promise<void> {
    this.seen.push(components.join(' and '));
    this.haltIf(`replaced ${components.join(' and ')}`);
  }

  async end(): Promise<void> {
    this.seen.push('all');
    this.haltIf('end');
  }

  private haltIf(where: string): void {
    if (this.haltAt === where) throw new Halted('30 % of the attempts fail');
  }
}
