import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../topology/settings/package';

/** How long a verb takes from its first connection to its end, as the verb itself says. One at a time. */
export class TimedVerb {
  private readonly folder = mkdtempSync(join(tmpdir(), 'downspout-verb-'));
  private readonly file = join(this.folder, 'asked');

  /** What the verb has to be started with. */
  get environment(): Record<string, string> {
    const hook = join(packageRoot(), 'dist', 'test', 'bench', 'verb-hook.js');
    return { NODE_OPTIONS: `--require ${JSON.stringify(hook)}`, BENCH_ASKED: this.file };
  }

  /** Of the verb that ended last, milliseconds. @throws when it opened no connection */
  read(): number {
    const ms = Number(readFileSync(this.file, 'utf8'));
    rmSync(this.file);
    return ms;
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
