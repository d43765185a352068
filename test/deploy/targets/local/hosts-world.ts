import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { HostState } from '../../../../deploy/targets/local/host-state';
import { HostSupervisor } from '../../../../deploy/targets/local/host-supervisor';
import type { HostProcess, ProcessMaker } from '../../../../deploy/targets/local/host-workers';
import { ReleaseBook } from '../../../../deploy/targets/local/release-book';
import type { Launch } from '../../../../deploy/targets/local/worker-process';
import { ManualClock } from '../../../support/manual-clock';
import { MemorySupervision } from '../../../support/mysql/memory-supervision';

/** A worker that runs nowhere. */
export class FakeWorker implements HostProcess {
  readonly ended: Promise<string>;
  /** SIGTERM came. */
  asked = false;
  over = false;
  private tellEnd: (how: string) => void = () => undefined;

  constructor(
    readonly pid: number,
    /** `webhook-2 of release 7`. */
    readonly name: string,
    private readonly onEnd: () => void,
  ) {
    this.ended = new Promise((resolve) => {
      this.tellEnd = resolve;
    });
  }

  readonly record = null;

  die(how = 'by SIGKILL'): void {
    this.over = true;
    this.onEnd();
    this.tellEnd(how);
  }

  async end(): Promise<boolean> {
    this.asked = true;
    return false;
  }

  release(): void {}
}

/** Hosts with supervisors, whose workers are ready when a test says so. */
export class HostsWorld {
  readonly clock = new ManualClock();
  readonly store = new MemorySupervision(this.clock);
  /** Every process that was started, in order. */
  readonly started: FakeWorker[] = [];
  private readonly folders: string[] = [];
  private pids = 0;

  /** Starts a supervisor. @returns how to end it: in good order, or with its workers at once */
  host(host: string): {
    end: () => Promise<void>;
    die: () => void;
    readonly id: string;
    /** Where it keeps its state and logs. */
    readonly folder: string;
    readonly workers: () => FakeWorker[];
  } {
    const folder = mkdtempSync(join(tmpdir(), 'downspout-host-'));
    this.folders.push(folder);
    const state = new HostState(folder, host);
    const own: FakeWorker[] = [];
    const stop = new AbortController();
    let isDead = false;
    const { store } = this;
    const supervision = new Proxy(store, {
      get: (target, name: keyof MemorySupervision) => {
        const value = target[name];
        if (typeof value !== 'function') return value;
        return isDead ? () => new Promise(() => undefined) : (value as () => unknown).bind(target);
      },
    });
    const supervisor = new HostSupervisor({
      host,
      pid: 1,
      version: '1',
      clock: this.clock,
      log: pino({ level: 'silent' }),
      state,
      supervision,
      releases: new ReleaseBook(
        async () => ({ specification: { components: {} }, packageVersion: '1', program: null }),
        () => ({ program: '/downspout.js' }),
      ),
      readiness: async (url) => ({ session: url, release: 1, reasons: [], partitions: {} }),
      maker: this.maker(own, state.id),
      logFolder: join(folder, 'logs'),
      settings: {},
      onWorkers: (urls) => writeFileSync(join(folder, 'targets'), urls.join()),
    });
    const run = supervisor.run(stop.signal, false);
    return {
      id: state.id,
      folder,
      workers: () => own.filter(({ over }) => !over),
      die: () => {
        isDead = true;
        for (const one of own) if (!one.over) one.die();
      },
      end: () => {
        stop.abort();
        return run;
      },
    };
  }

  /** The worker registers and owns partitions. */
  makeReady(worker: FakeWorker): void {
    const row = this.store.workers.find(({ pid }) => pid === worker.pid);
    if (row !== undefined) return;
    const [component = '', supervisor = ''] = [worker.name.split('-')[0], this.supervisors.get(worker)];
    const session = `s${worker.pid}`;
    // One partition each: nothing is left for whoever owns none.
    this.store.workers.push({ session, pid: worker.pid, statusUrl: session, supervisor, owned: { [component]: 1 } });
  }

  close(): void {
    for (const folder of this.folders) rmSync(folder, { recursive: true, force: true });
  }

  private readonly supervisors = new Map<FakeWorker, string>();

  private maker(own: FakeWorker[], id: string): ProcessMaker {
    return {
      start: ({ args }: Launch) => {
        const of = (option: string) => args[args.indexOf(option) + 1];
        const name = `${of('--component')}-${of('--replica')} of release ${of('--release')}`;
        const pid = ++this.pids;
        const worker = new FakeWorker(pid, name, () => {
          this.store.workers = this.store.workers.filter((row) => row.pid !== pid);
        });
        own.push(worker);
        this.started.push(worker);
        this.supervisors.set(worker, id);
        return worker;
      },
      adopt: () => {
        throw new Error('there is nothing to adopt');
      },
    };
  }
}
