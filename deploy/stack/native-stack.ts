import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../topology/core/clock';
import { reasonOf, UserError } from '../../topology/core/errors';
import { packageRoot } from '../../topology/settings/package';
import { ComposeFile, HA_VARIABLES } from './compose-file';
import { Cache, cacheFolder } from './fetch/cache';
import { withLock } from './host/lock';
import { endOfLog, sizeOf, whatToDo } from './host/part-log';
import { endProcess, type Program, startDetached, stillRuns } from './host/processes';
import { joinMembers } from './members';
import { partsOf, wavesOf } from './native-parts';
import { BROKERS, brokersOf } from './parts/kafka-part';
import { MYSQL_SERVERS } from './parts/mysql-part';
import type { Part, PartContext } from './parts/part';
import { choosePorts } from './port-choice';
import type { Report, Stack, StackOptions } from './stack';
import { stackSettings, writeSettings } from './stack-settings';
import { newState, type StackState, StackStateFile } from './stack-state';

/** How long a part may take until it answers. */
const START_LIMIT_MS = 300_000;
const POLL_MS = 50;
/** What is data and what describes it; nothing else in the folder is removed by a wipe. */
const OWN_ENTRIES = [
  ...MYSQL_SERVERS,
  ...BROKERS,
  'haproxy',
  'connect',
  'connect-b',
  'prometheus',
  'logs',
  'stack.json',
  'env.json',
  'secret.key',
];
/** Ended before the others: Connect would try to reach them until its own end, HAProxy would lead to another server. */
const ENDED_FIRST = ['connect', 'connect-b', 'haproxy'];

export interface NativeStackOptions extends StackOptions {
  readonly clock: Clock;
  /** The parts, when they are not those of docker-compose.yml. */
  readonly parts?: (context: PartContext) => readonly Part[];
}

/**
 * The stack as processes of this machine.
 *
 * 1. *Starting is idempotent*: what runs as it should is kept, what died or was configured otherwise is started.
 * 2. *Two checkouts run side by side*: each has its folder and ports, and only processes that it started are ended.
 * 3. *A failure explains itself*: the last lines of the part's log, and what to do.
 */
export class NativeStack implements Stack {
  readonly kind = 'native';
  private readonly state: StackStateFile;

  constructor(private readonly options: NativeStackOptions) {
    this.state = new StackStateFile(options.folder);
  }

  async up(report: Report): Promise<Record<string, string>> {
    const { folder, clock } = this.options;
    mkdirSync(join(folder, 'logs'), { recursive: true });
    return this.locked(report, async () => {
      const state = this.state.read() ?? newState('native', this.options.variables['MYSQL_ROOT_PASSWORD']);
      if (state.mode !== 'native') {
        throw new UserError('The stack runs in Docker. Stop it first: downspout down');
      }
      state.ha ||= this.options.ha === true;
      const compose = this.composeOf(state.ha);
      state.ports = await choosePorts(compose, state, this.options.variables);
      this.state.write(state);
      const context: PartContext = {
        compose,
        cache: new Cache(cacheFolder(this.options.variables), clock),
        clock,
        folder,
        ports: state.ports,
        adminPassword: state.passwords.admin,
        cdcPassword: state.passwords.cdc,
        ha: state.ha,
        groupRuns: MYSQL_SERVERS.some((name) => this.isAlive(name, state)),
      };
      const partsIn = this.options.parts ?? partsOf;
      const parts = partsIn(context);
      for (const wave of wavesOf(parts, state.ha)) {
        const results = await Promise.allSettled(wave.map((part) => this.bringUp(part, state, report)));
        const failures = results.flatMap((result) => (result.status === 'rejected' ? [reasonOf(result.reason)] : []));
        if (failures.length > 0) throw new UserError([...new Set(failures)].join('\n\n'));
      }
      const at = (purpose: string) => `127.0.0.1:${state.ports[purpose]}`;
      const prometheus = 'prometheus' in state.processes ? `http://${at('prometheus')}` : null;
      const settings = stackSettings(
        folder,
        {
          mysql: at(state.ha ? 'haproxy' : 'mysql'),
          kafka: brokersOf(state).map(at).join(','),
          connectUrl: `http://${at(state.ha ? 'haproxyConnect' : 'connect')}`,
          ...(prometheus === null ? {} : { prometheusUrl: prometheus }),
        },
        state.passwords,
      );
      if (state.ha && MYSQL_SERVERS.every((name) => parts.some((part) => part.name === name))) {
        const { passwords } = state;
        const restart = (name: string) =>
          this.startAgain(partsIn({ ...context, groupRuns: true }), name, state, report);
        await joinMembers({ passwords, at, report, clock, restart });
      }
      writeSettings(folder, settings);
      return settings;
    });
  }

  async down(wipe: boolean, report: Report): Promise<void> {
    await this.locked(report, async () => {
      const state = this.state.read();
      const others = Object.keys(state?.processes ?? {}).filter((name) => !ENDED_FIRST.includes(name));
      for (const names of [ENDED_FIRST, others]) {
        await Promise.all(names.map((name) => this.end(name, state, wipe, report)));
      }
      if (!wipe) return;
      for (const entry of OWN_ENTRIES) rmSync(join(this.options.folder, entry), { recursive: true, force: true });
    });
  }

  /** The parts that were started, and whether they still run. */
  running(): { readonly part: string; readonly pid: number; readonly port: number | null; readonly alive: boolean }[] {
    const state = this.state.read();
    return Object.entries(state?.processes ?? {}).map(([part, record]) => ({
      part,
      pid: record.pid,
      port: state?.ports[part] ?? null,
      alive: stillRuns(record),
    }));
  }

  private composeOf(ha: boolean): ComposeFile {
    const { composeFile, variables } = this.options;
    return ComposeFile.read(
      composeFile ?? join(packageRoot(), 'docker-compose.yml'),
      ha ? { ...HA_VARIABLES, ...variables } : variables,
    );
  }

  private isAlive(name: string, state: StackState): boolean {
    const record = state.processes[name];
    return record !== undefined && stillRuns(record);
  }

  private locked<T>(report: Report, work: () => Promise<T>): Promise<T> {
    const waiting = (pid: number) =>
      report({ part: 'stack', stage: 'starting', text: `waiting for process ${pid}, which is at work on this stack` });
    return withLock(join(this.options.folder, 'stack.lock'), this.options.clock, waiting, work);
  }

  private async bringUp(part: Part, state: StackState, report: Report): Promise<void> {
    const { clock } = this.options;
    try {
      await part.fetch(() => report({ part: part.name, stage: 'fetching', text: `fetching ${part.version}` }));
      const program = await part.prepare();
      const digest = digestOf(program);
      const known = state.processes[part.name];
      const where = `${part.version} on port ${part.port}`;
      if (known !== undefined && stillRuns(known)) {
        if (known.program === digest && (await part.ready())) {
          report({ part: part.name, stage: 'kept', text: `running already, ${where}` });
          return;
        }
        await endProcess(known, part.graceMs, clock);
      }
      report({ part: part.name, stage: 'starting', text: `starting ${where}` });
      const begun = clock.monotonic();
      await this.startAndWait(part, program, digest, state);
      const seconds = ((clock.monotonic() - begun) / 1_000).toFixed(1);
      report({ part: part.name, stage: 'ready', text: `ready after ${seconds} s, ${where}` });
    } catch (error) {
      if (part.needed) {
        report({ part: part.name, stage: 'failed', text: 'failed' });
        throw error;
      }
      report({ part: part.name, stage: 'skipped', text: `not needed for delivery; ${reasonOf(error)}` });
    }
  }

  /** A part that is about to end, or has ended, by itself. */
  private async startAgain(parts: readonly Part[], name: string, state: StackState, report: Report): Promise<void> {
    const part = parts.find((one) => one.name === name) as Part;
    const record = state.processes[name];
    if (record !== undefined) await endProcess(record, part.graceMs, this.options.clock);
    await this.bringUp(part, state, report);
  }

  private async startAndWait(part: Part, program: Program, digest: string, state: StackState): Promise<void> {
    const { clock } = this.options;
    part.tidy?.();
    const logBegins = sizeOf(program.logFile);
    const record = await startDetached(program);
    state.processes[part.name] = { ...record, program: digest };
    this.state.write(state);
    const limit = clock.monotonic() + START_LIMIT_MS;
    // Asked in this order: somebody else may answer on the port while our own failed to take it.
    while (!(await part.ready()) || !stillRuns(record)) {
      const alive = stillRuns(record);
      if (alive && clock.monotonic() < limit) {
        await clock.sleep(POLL_MS);
        continue;
      }
      await endProcess(record, part.graceMs, clock);
      delete state.processes[part.name];
      this.state.write(state);
      const log = endOfLog(program.logFile, logBegins);
      const what = alive ? `did not answer within ${START_LIMIT_MS / 1_000} s` : 'ended while starting';
      throw new UserError(
        `${part.name} ${what}. The last lines of ${program.logFile}:\n${log}\n${whatToDo(log, part.name, part.port)}`,
      );
    }
  }

  private async end(name: string, state: StackState | null, wipe: boolean, report: Report): Promise<void> {
    const record = state?.processes[name];
    if (state === null || record === undefined) return;
    report({ part: name, stage: 'stopping', text: 'stopping' });
    // What is wiped needs no orderly end.
    const how = await endProcess(record, wipe ? 0 : 20_000, this.options.clock);
    delete state.processes[name];
    this.state.write(state);
    const texts = {
      gone: 'was not running',
      ended: 'stopped',
      killed: wipe ? 'stopped' : 'killed: it did not stop in time',
    };
    report({ part: name, stage: 'stopped', text: texts[how] });
  }
}

function digestOf(program: Program): string {
  const { command, args, configuration, environment = {} } = program;
  return createHash('sha256')
    .update(JSON.stringify([command, args, configuration, environment]))
    .digest('hex')
    .slice(0, 16);
}
