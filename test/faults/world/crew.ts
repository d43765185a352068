import { join } from 'node:path';
import { systemClock } from '../../../topology/core/clock';
import { packageRoot } from '../../../topology/settings/package';
import { Supervisor } from '../../support/stack/supervisor';

/** How long a worker may take to drain. */
const DRAIN_MS = 20_000;

export interface CrewOptions {
  readonly settings: Readonly<Record<string, string>>;
  readonly logFolder: string;
}

/** Worker processes as `downspout worker` starts them, each with an engine that starts it again when it ends. They are known by name: `due-0`. */
export class Crew {
  private readonly members = new Map<string, Supervisor>();
  private ended = false;

  constructor(private readonly options: CrewOptions) {}

  get names(): string[] {
    return [...this.members.keys()];
  }

  /** @param own what this one has in its environment beside what all have; `nodeOptions` go to its Node */
  start(name: string, own: Readonly<Record<string, string>> = {}): void {
    // Whoever was interrupted may be about to start another one.
    if (this.ended) throw new Error(`${name} is not started: the crew has ended`);
    const { settings, logFolder } = this.options;
    const program = join(packageRoot(), 'dist', 'deploy', 'cli', 'downspout.js');
    const target = new Supervisor({
      clock: systemClock,
      workers: [{ name, args: [program, 'worker', '--component', name.replace(/-\d+$/, '')] }],
      settings: { ...settings, ...own },
      logFolder,
    });
    target.start();
    this.members.set(name, target);
  }

  signal(name: string, signal: NodeJS.Signals): void {
    const pid = this.pidOf(name);
    if (pid === null) throw new Error(`${name} does not run`);
    process.kill(pid, signal);
  }

  /** Null while it waits to be started again. */
  pidOf(name: string): number | null {
    return this.members.get(name)?.workers()[0]?.pid ?? null;
  }

  /** How often workers were started again. */
  get restarts(): number {
    return [...this.members.values()].reduce((sum, one) => sum + (one.workers()[0]?.restarts ?? 0), 0);
  }

  /** Ends a worker in good order; it is not started again. */
  async stop(name: string): Promise<void> {
    const killed = (await this.members.get(name)?.stop(DRAIN_MS)) ?? [];
    this.members.delete(name);
    if (killed.length > 0) throw new Error(`${name} did not drain within ${DRAIN_MS} ms`);
  }

  /** Ends all of them in good order, and starts no more. */
  async stopAll(): Promise<void> {
    this.ended = true;
    await Promise.all(this.names.map((name) => this.stop(name)));
  }
}
