import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type ProcessRecord, sessionOf } from './processes';

/** Who listens on a port of this machine, as a process that was started detached sees it. */
export type Listener = 'itself' | 'another' | 'nobody' | 'unknown';

/** Whether a detached process, or one that it has started, is what listens on a port. `unknown` where the system does not say. */
export function listenerOn(port: number, { pid }: ProcessRecord): Listener {
  return process.platform === 'linux' ? fromProc(port, pid) : fromLsof(port, pid);
}

/** The state of a socket that listens, and the columns of /proc/net/tcp: https://docs.kernel.org/networking/proc_net_tcp.html */
const LISTENS = '0A';
const [LOCAL_ADDRESS, STATE, INODE] = [1, 3, 9];
/** Where a connection to 127.0.0.1 arrives: there, and at any address, in IPv4 and in IPv6. */
const REACHED = new Set(['0100007F', '00000000', '0000000000000000FFFF00000100007F', '0'.repeat(32)]);

function fromProc(port: number, pid: number): Listener {
  const sockets = new Set<string>();
  try {
    for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
      for (const inode of listeningIn(readTable(file), port)) sockets.add(`socket:[${inode}]`);
    }
  } catch {
    return 'unknown';
  }
  if (sockets.size === 0) return 'nobody';
  let isKnown = true;
  for (const one of [pid, ...membersOf(pid)]) {
    const holds = holdsOneOf(sockets, one);
    if (holds === true) return 'itself';
    if (holds === undefined) isKnown = false;
  }
  return isKnown ? 'another' : 'unknown';
}

/** A machine without IPv6 has no table of it. */
function readTable(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (file.endsWith('6') && (error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function listeningIn(table: string, port: number): string[] {
  return table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [address = '', hexPort = ''] = (fields[LOCAL_ADDRESS] ?? '').split(':');
    const isThere = fields[STATE] === LISTENS && Number.parseInt(hexPort, 16) === port && REACHED.has(address);
    return isThere ? [fields[INODE] as string] : [];
  });
}

/** Processes of its session: a program may be started by a script. */
function* membersOf(pid: number): Generator<number> {
  for (const name of readdirSync('/proc')) {
    const one = Number(name);
    if (Number.isInteger(one) && one !== pid && sessionOf(one) === pid) yield one;
  }
}

/** @returns undefined when its files may not be read */
function holdsOneOf(sockets: ReadonlySet<string>, pid: number): boolean | undefined {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((name) => sockets.has(targetOf(`${folder}/${name}`)));
  } catch (error) {
    // It has ended.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? false : undefined;
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    // Closed meanwhile.
    return '';
  }
}

/** Of other users it sees nothing. */
function fromLsof(port: number, pid: number): Listener {
  let text: string;
  try {
    text = execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpg'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (error) {
    return (error as { status?: unknown }).status === 1 ? 'nobody' : 'unknown';
  }
  const lines = text.split('\n');
  return lines.includes(`p${pid}`) || lines.includes(`g${pid}`) ? 'itself' : 'another';
}
