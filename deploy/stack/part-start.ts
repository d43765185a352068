import { createHash } from 'node:crypto';
import type { Clock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import { listenerOn } from './host/listener';
import { endOfLog, sizeOf, whatToDo } from './host/part-log';
import { endProcess, type ProcessRecord, type Program, startDetached, stillRuns } from './host/processes';
import type { Part } from './parts/part';

/** How long a part may take until it answers. */
const START_LIMIT_MS = 300_000;
const POLL_MS = 50;
/** How long a part that runs and holds its ports may be too busy to answer. */
const BUSY_LIMIT_MS = 20_000;
const BUSY_POLL_MS = 250;

/** Another program listens on a port that was chosen for a part. With other ports it may start. */
export class PortLost extends UserError {}

/** A port on which something else listens than the process; undefined when there is none. */
function lostPort(ports: readonly number[], record: ProcessRecord): number | undefined {
  return ports.find((port) => listenerOn(port, record) === 'another');
}

/**
 * Whether the part answers, and it is this process that does: the part of another stack may answer on the port in its place.
 * @param ports all that the part listens on
 */
async function isUp(part: Part, ports: readonly number[], record: ProcessRecord): Promise<boolean> {
  return (await part.ready()) && listens(ports, record);
}

/** The same of a part that was started before: a busy one is asked for some time, because what uses it would be cut off. */
export async function staysUp(
  part: Part,
  ports: readonly number[],
  record: ProcessRecord,
  clock: Clock,
): Promise<boolean> {
  const limit = clock.monotonic() + BUSY_LIMIT_MS;
  while (!(await isUp(part, ports, record))) {
    if (!listens(ports, record) || clock.monotonic() >= limit) return false;
    await clock.sleep(BUSY_POLL_MS);
  }
  return true;
}

/** Where the system does not say who listens, it is taken for the process while that lives. */
function listens(ports: readonly number[], record: ProcessRecord): boolean {
  return stillRuns(record) && ports.every((port) => ['itself', 'unknown'].includes(listenerOn(port, record)));
}

/**
 * Starts a part and waits until it answers.
 * @param ports all that it listens on
 * @param remember is given the process when it was started, and null when it was ended again
 * @throws PortLost when another program has one of its ports; UserError with the end of its log when it does not start
 */
export async function startPart(
  part: Part,
  program: Program,
  ports: readonly number[],
  remember: (record: ProcessRecord | null) => void,
  clock: Clock,
): Promise<void> {
  part.tidy?.();
  const logBegins = sizeOf(program.logFile);
  const record = await startDetached(program);
  remember(record);
  const limit = clock.monotonic() + START_LIMIT_MS;
  while (!(await isUp(part, ports, record))) {
    const alive = stillRuns(record);
    const lost = lostPort(ports, record);
    if (alive && lost === undefined && clock.monotonic() < limit) {
      await clock.sleep(POLL_MS);
      continue;
    }
    await endProcess(record, part.graceMs, clock);
    remember(null);
    if (lost !== undefined) throw new PortLost(`${part.name}: another program has taken port ${lost}`);
    const log = endOfLog(program.logFile, logBegins);
    const what = alive ? `did not answer within ${START_LIMIT_MS / 1_000} s` : 'ended while starting';
    throw new UserError(
      `${part.name} ${what}. The last lines of ${program.logFile}:\n${log}\n${whatToDo(log, part.name, part.port)}`,
    );
  }
}

/**
 * A text that is the same while a program is started in the same way. It is a plain hash also of a password, so it may lie only
 * where the password does.
 */
export function digestOf({ command, args, configuration, environment = {} }: Program): string {
  return createHash('sha256')
    .update(JSON.stringify([command, args, configuration, environment]))
    .digest('hex')
    .slice(0, 16);
}
