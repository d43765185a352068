import { UserError } from '../../topology/core/errors';
import type { ComposeFile } from './compose-file';
import type { PortReservations } from './host/port-reservations';
import { freePort, isFree } from './host/ports';
import { stillRuns } from './host/processes';
import type { StackState } from './stack-state';

/** Ports by purpose, and the part that listens on it. */
const PURPOSES: Readonly<Record<string, string>> = {
  mysql: 'mysql',
  kafka: 'kafka',
  kafkaController: 'kafka',
  kafkaStack: 'kafka',
  connect: 'connect',
  prometheus: 'prometheus',
  'mysql-b': 'mysql-b',
  'mysql-c': 'mysql-c',
  'kafka-b': 'kafka-b',
  'kafka-bController': 'kafka-b',
  'kafka-bStack': 'kafka-b',
  'kafka-c': 'kafka-c',
  'kafka-cController': 'kafka-c',
  'kafka-cStack': 'kafka-c',
  'connect-b': 'connect-b',
  haproxy: 'haproxy',
  haproxyConnect: 'haproxy',
};
/** Purposes that docker-compose.yml publishes as a second port of their part. */
const SECOND = new Set(['haproxyConnect']);

/** The ports that a part listens on. */
export function portsOf(part: string, chosen: Readonly<Record<string, number>>): number[] {
  return Object.entries(PURPOSES).flatMap(([purpose, owner]) => (owner === part ? (chosen[purpose] ?? []) : []));
}

/**
 * The ports of a native stack: the one that the variable of docker-compose.yml names where it is set, else the one that
 * was used before where it is free or ours, else any free one. So two checkouts run side by side.
 * @param reservations keep other starts from choosing the same
 * @throws UserError when a port that a variable names is taken
 */
export async function choosePorts(
  compose: ComposeFile,
  state: StackState,
  variables: Readonly<Record<string, string>>,
  reservations: PortReservations,
): Promise<Record<string, number>> {
  const chosen: Record<string, number> = {};
  const taken = new Set(Object.values(state.ports));
  for (const [purpose, part] of Object.entries(PURPOSES)) {
    if (compose.service(part).profiles.length > 0 && !state.ha) continue;
    const record = state.processes[part];
    const known = state.ports[purpose];
    const isOurs = (port: number) => port === known && record !== undefined && stillRuns(record);
    const { ports } = compose.service(part);
    const published = (purpose === part ? ports[0] : SECOND.has(purpose) ? ports[1] : undefined) ?? null;
    const variable = published?.variable ?? null;
    if (published !== null && variable !== null && variables[variable] !== undefined) {
      if (!isOurs(published.number) && !(await isFree(published.number))) {
        throw new UserError(`${variable}: port ${published.number} is taken by another program. Name a free one.`);
      }
      chosen[purpose] = published.number;
    } else if (known !== undefined && (isOurs(known) || (await reservations.take(known)))) {
      chosen[purpose] = known;
    } else {
      chosen[purpose] = await freePort(taken, (port) => reservations.take(port));
    }
    // Where another start was told the same port, one of the two fails and says so.
    await reservations.reserve(chosen[purpose]);
    taken.add(chosen[purpose]);
  }
  return chosen;
}
