import { readFileSync } from 'node:fs';
import type { FailPoint } from '../../../deploy/worker/fail-points';
import { systemClock } from '../../../topology/core/clock';
import { type Deployment, localTarget } from './deployment';
import type { RunningWorker, Supervisor } from './supervisor';

/** How it left its first life. */
interface End {
  /** `victim ended by SIGKILL; …` */
  readonly how: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** A further worker of a deployment, which ends at a fail-point in its first life; what is started again has none. */
export class Victim {
  private readonly ends: End[] = [];

  private constructor(
    readonly component: string,
    readonly point: FailPoint,
    private readonly deployment: Deployment,
    private readonly target: Supervisor,
  ) {}

  /** @param component one, or several with commas between them */
  static start(deployment: Deployment, component: string, point: FailPoint): Victim {
    const { environment } = deployment.world;
    const of = point.of === undefined ? '' : `:${point.of.join('+')}`;
    const text = `${point.name}:${point.action}:${point.nth}${of}`;
    const settings = { ...deployment.settings, DOWNSPOUT_FAIL_POINTS: text };
    const name = `${component}-until-${point.name}-${point.action}`;
    const target: Supervisor = localTarget(environment, [{ name, component }], settings, (how) => {
      victim.ends.push({ how, at: systemClock.now() });
      settings.DOWNSPOUT_FAIL_POINTS = '';
    });
    const victim = new Victim(component, point, deployment, target);
    target.start();
    return victim;
  }

  /** It reached its fail-point and acted on it. */
  get reached(): boolean {
    const { name, action } = this.point;
    return readFileSync(this.process.logFile, 'utf8').includes(`fail-point ${name}: ${action}\n`);
  }

  get end(): End | undefined {
    return this.ends[0];
  }

  /** Lets it continue after the action `stop`. */
  resume(): void {
    process.kill(this.process.pid as number, 'SIGCONT');
  }

  /** Its present life owns partitions, of each of its components. */
  async isAtWork(): Promise<boolean> {
    const { pid } = this.process;
    if (pid === null) return false;
    const rows = await this.deployment.sql.rows<[string | null]>(
      `SELECT report FROM workers WHERE pid = ${pid} ORDER BY started_at DESC LIMIT 1`,
    );
    const { partitions = {} } = JSON.parse(rows[0]?.[0] ?? '{}') as { partitions?: Record<string, number[]> };
    return this.component.split(',').every((name) => (partitions[name]?.length ?? 0) > 0);
  }

  /** @param limit milliseconds for draining */
  async stop(limit: number): Promise<void> {
    const killed = await this.target.stop(limit);
    if (killed.length > 0) throw new Error(`${killed.join(', ')} did not drain within ${limit} ms`);
  }

  private get process(): RunningWorker {
    return this.target.workers()[0] as RunningWorker;
  }
}
