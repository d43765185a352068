import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../topology/core/clock';
import { endProcess, type ProcessRecord, recordOf, stillRuns } from '../stack/host/processes';
import { writePrivate } from '../stack/stack-state';

const GRACE_MS = 20_000;
const keptSchema = z.array(z.object({ pid: z.int(), started: z.string() }));

/** Workers that `downspout demo --keep` left running, in the stack's folder. */
export class KeptWorkers {
  private readonly path: string;

  constructor(stackFolder: string) {
    this.path = join(stackFolder, 'demo-workers.json');
  }

  keep(pids: readonly number[]): void {
    const records = pids.flatMap((pid) => recordOf(pid) ?? []);
    writePrivate(this.path, `${JSON.stringify(records)}\n`);
  }

  private alive(): ProcessRecord[] {
    try {
      return keptSchema.parse(JSON.parse(readFileSync(this.path, 'utf8'))).filter(stillRuns);
    } catch {
      return [];
    }
  }

  /** Drains them. @returns how many there were */
  async stop(clock: Clock): Promise<number> {
    const alive = this.alive();
    await Promise.all(alive.map((record) => endProcess(record, GRACE_MS, clock)));
    rmSync(this.path, { force: true });
    return alive.length;
  }
}
