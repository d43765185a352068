import { UserError } from '../../topology/core/errors';
import type { ComposeFile, PublishedPort } from './compose-file';
import type { PortReservations } from './host/port-reservations';
import { freePort } from './host/ports';
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

interface NamedPort {
  readonly variable: string;
  readonly number: number;
}

interface PortWish {
  readonly named: NamedPort | null;
  /** The one of the last time. */
  readonly known: number | undefined;
  /** Whether it is our own part that listens there. */
  readonly isOurs: (port: number) => boolean;
}

/** What keeps other starts from choosing the same ports. */
export type Reservations = Pick<PortReservations, 'take' | 'reserve' | 'isFree'>;

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
  reservations: Reservations,
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
    const named = namedPort(published, variables);
    chosen[purpose] = await choosePort({ named, known, isOurs }, taken, reservations);
    taken.add(chosen[purpose]);
  }
  return chosen;
}

/**
 * The ports that a stack in Docker publishes, by their variables: the one that the variable names where it is set, else the one
 * that was published before, at first docker-compose.yml's own, where it is free or ours, else any free one.
 * @param compose as `variables` make it
 * @param ours what containers of the stack publish now
 * @throws UserError when a port that a variable names is taken
 */
export async function choosePublishedPorts(
  compose: ComposeFile,
  state: StackState,
  variables: Readonly<Record<string, string>>,
  ours: ReadonlySet<number>,
  reservations: Reservations,
): Promise<Record<string, number>> {
  const chosen: Record<string, number> = { ...state.ports };
  const taken = new Set(Object.values(state.ports));
  const services = compose.names().map((name) => compose.service(name));
  for (const { ports } of services.filter(({ profiles }) => profiles.length === 0 || state.ha)) {
    for (const published of ports) {
      const { variable, number } = published;
      if (variable === null) continue;
      const named = namedPort(published, variables);
      const known = state.ports[variable] ?? (taken.has(number) ? undefined : number);
      chosen[variable] = await choosePort({ named, known, isOurs: (port) => ours.has(port) }, taken, reservations);
      taken.add(chosen[variable]);
    }
  }
  return chosen;
}

/** The port that a variable names; null when it is not set. */
function namedPort(published: PublishedPort | null, variables: Readonly<Record<string, string>>): NamedPort | null {
  const variable = published?.variable ?? null;
  if (published === null || variable === null || variables[variable] === undefined) return null;
  return { variable, number: published.number };
}

async function choosePort(
  { named, known, isOurs }: PortWish,
  taken: ReadonlySet<number>,
  reservations: Reservations,
): Promise<number> {
  let chosen: number;
  if (named !== null) {
    if (!isOurs(named.number) && !(await reservations.isFree(named.number))) {
      throw new UserError(`${named.variable}: port ${named.number} is taken by another program. Name a free one.`);
    }
    chosen = named.number;
  } else if (known !== undefined && (isOurs(known) || (await reservations.take(known)))) {
    chosen = known;
  } else {
    chosen = await freePort(taken, (port) => reservations.take(port));
  }
  // Where another start was told the same port, one of the two fails and says so.
  await reservations.reserve(chosen);
  return chosen;
}
