import { type ChildProcess, type Serializable, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endOfLog } from '../../../deploy/stack/host/part-log';
import { systemClock } from '../../../topology/core/clock';
import { packageRoot } from '../../../topology/settings/package';

/** How long a server may take to end in good order, milliseconds. */
const GRACE_MS = 5_000;

/**
 * A server of a provider's as a process of this machine, with a folder for what it keeps. It ends with this process, however this
 * one ends, because it notices that nobody is connected to it any more.
 */
export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    /** Only what this server keeps; it is removed in the end. */
    readonly folder: string,
    private readonly log: string,
  ) {}

  /**
   * @param program a file of `test/providers/servers`, without its ending
   * @param argumentsIn what it is given, of its folder
   */
  static start(program: string, argumentsIn: (folder: string) => readonly string[] = () => []): ServerProcess {
    const folder = mkdtempSync(join(tmpdir(), 'downspout-provider-'));
    const log = join(folder, 'server.log');
    const output = openSync(log, 'a');
    try {
      const file = join(packageRoot(), 'dist', 'test', 'providers', 'servers', `${program}.js`);
      const stdio = ['ignore', output, output, 'ipc'] as const;
      const child = spawn(process.execPath, [file, ...argumentsIn(folder)], { cwd: folder, stdio: [...stdio] });
      return new ServerProcess(child, folder, log);
    } finally {
      closeSync(output);
    }
  }

  /** Sends the process a message, and waits for its answer. @throws Error with the end of its log when it ends instead */
  async tell(message: Serializable): Promise<void> {
    const { child } = this;
    if (!child.connected) throw this.ended();
    const over = new AbortController();
    try {
      const { signal } = over;
      const answered = once(child, 'message', { signal });
      const gone = once(child, 'disconnect', { signal }).then(() => Promise.reject(this.ended()));
      child.send(message);
      await Promise.race([answered, gone]);
    } finally {
      over.abort();
    }
  }

  /** @throws Error with the end of its log when it has ended */
  assertRuns(): void {
    if (!this.child.connected) throw this.ended();
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit');
      if (child.connected) child.disconnect();
      const limit = systemClock.after(GRACE_MS, () => child.kill('SIGKILL'));
      await exit;
      limit.cancel();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  private ended(): Error {
    return new Error(`the server has ended:\n${endOfLog(this.log, 0)}`);
  }
}
