import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../topology/core/clock';
import { reasonOf, UserError } from '../../topology/core/errors';
import { packageRoot } from '../../topology/settings/package';
import { ComposeFile, HA_VARIABLES } from './compose-file';
import { Cache, cacheFolder } from './fetch/cache';
import { PortReservations } from './host/port-reservations';
import { endProcess, type ProcessRecord, stillRuns } from './host/processes';
import { joinMembers } from './members';
import { partsOf, wavesOf } from './native-parts';
import { digestOf, PortLost, startPart, staysUp } from './part-start';
import { BROKERS, brokersOf } from './parts/kafka-part';
import { MYSQL_SERVERS } from './parts/mysql-part';
import type { Part, PartContext } from './parts/part';
import { choosePorts, portsOf } from './port-choice';
import type { Report, Stack, StackOptions } from './stack';
import { withStackLock } from './stack-lock';
import { stackSettings, writeSettings } from './stack-settings';
import { newState, type StackState, StackStateFile } from './stack-state';

/** How often ports are chosen again when another program has taken one before the part that was to have it. */
const MAX_PORT_CHOICES = 3;
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
 * 2. *Two checkouts run side by side*, also when they start at one moment: each has its folder and ports, only processes that it
 *    started are ended, and only they are taken for its parts, whatever else answers on a port.
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
    return withStackLock(folder, clock, report, async () => {
      const state = this.state.read() ?? newState('native', this.options.variables['MYSQL_ROOT_PASSWORD']);
      if (state.mode !== 'native') {
        throw new UserError('The stack runs in Docker. Stop it first: downspout down');
      }
      state.ha ||= this.options.ha === true;
      const reservations = new PortReservations();
      try {
        await this.startAll(state, reservations, report);
      } finally {
        reservations.end();
      }
      const at = (purpose: string) => addressIn(state, purpose);
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
      writeSettings(folder, settings);
      return settings;
    });
  }

  async down(wipe: boolean, report: Report): Promise<void> {
    const { folder, clock } = this.options;
    await withStackLock(folder, clock, report, async () => {
      const state = this.state.read();
      const others = Object.keys(state?.processes ?? {}).filter((name) => !ENDED_FIRST.includes(name));
      for (const names of [ENDED_FIRST, others]) {
        await Promise.all(names.map((name) => this.end(name, state, wipe, report)));
      }
      if (!wipe) return;
      for (const entry of OWN_ENTRIES) rmSync(join(folder, entry), { recursive: true, force: true });
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

  /** Starts all parts. Where another program has taken a port meanwhile, with other ports: what runs by then is kept if it can be. */
  private async startAll(state: StackState, reservations: PortReservations, report: Report): Promise<void> {
    for (let choices = 1; ; choices++) {
      try {
        await this.startOn(await this.portsFor(state, reservations), state, report);
        return;
      } catch (error) {
        if (!(error instanceof PortLost) || choices === MAX_PORT_CHOICES) throw error;
        report({ part: 'stack', stage: 'starting', text: `${error.message}; it gets another one` });
      }
    }
  }

  private async portsFor(state: StackState, reservations: PortReservations): Promise<PartContext> {
    const { folder, clock, variables } = this.options;
    const compose = this.composeOf(state.ha);
    state.ports = await choosePorts(compose, state, variables, reservations);
    this.state.write(state);
    return {
      compose,
      cache: new Cache(cacheFolder(variables), clock),
      clock,
      folder,
      ports: state.ports,
      clusterId: state.clusterId,
      adminPassword: state.passwords.admin,
      cdcPassword: state.passwords.cdc,
      ha: state.ha,
      groupRuns: MYSQL_SERVERS.some((name) => this.isAlive(name, state)),
    };
  }

  private async startOn(context: PartContext, state: StackState, report: Report): Promise<void> {
    const { clock } = this.options;
    const partsIn = this.options.parts ?? partsOf;
    const parts = partsIn(context);
    for (const wave of wavesOf(parts, state.ha)) {
      const results = await Promise.allSettled(wave.map((part) => this.bringUp(part, state, report)));
      const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
      // Others may have failed for want of the part that lost its port.
      const lost = errors.find((error) => error instanceof PortLost);
      if (lost !== undefined) throw lost;
      if (errors.length > 0) throw new UserError([...new Set(errors.map(reasonOf))].join('\n\n'));
    }
    if (!state.ha || !MYSQL_SERVERS.every((name) => parts.some((part) => part.name === name))) return;
    const { passwords } = state;
    const restart = (name: string) => this.startAgain(partsIn({ ...context, groupRuns: true }), name, state, report);
    await joinMembers({ passwords, at: (purpose) => addressIn(state, purpose), report, clock, restart });
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

  private async bringUp(part: Part, state: StackState, report: Report): Promise<void> {
    const { clock } = this.options;
    try {
      await part.fetch(() => report({ part: part.name, stage: 'fetching', text: `fetching ${part.version}` }));
      const program = await part.prepare();
      const digest = digestOf(program);
      const known = state.processes[part.name];
      const where = `${part.version} on port ${part.port}`;
      const ports = portsOf(part.name, state.ports);
      if (known !== undefined && stillRuns(known)) {
        if (known.program === digest && (await staysUp(part, ports, known, clock))) {
          report({ part: part.name, stage: 'kept', text: `running already, ${where}` });
          return;
        }
        await endProcess(known, part.graceMs, clock);
      }
      report({ part: part.name, stage: 'starting', text: `starting ${where}` });
      const begun = clock.monotonic();
      const remember = (record: ProcessRecord | null) => {
        if (record === null) delete state.processes[part.name];
        else state.processes[part.name] = { ...record, program: digest };
        this.state.write(state);
      };
      await startPart(part, program, ports, remember, clock);
      const seconds = ((clock.monotonic() - begun) / 1_000).toFixed(1);
      report({ part: part.name, stage: 'ready', text: `ready after ${seconds} s, ${where}` });
    } catch (error) {
      if (part.needed || error instanceof PortLost) {
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

function addressIn({ ports }: StackState, purpose: string): string {
  return `127.0.0.1:${ports[purpose]}`;
}
