import { Unavailable } from '../../topology/core/errors';
import type { Connector } from './connector';

/** What Kafka knows of groups. Each call throws Unavailable. */
interface Groups {
  /** The groups whose members speak a protocol, as far as the rights go. */
  groups(protocol: string): Promise<readonly string[]>;
  members(group: string): Promise<readonly Member[]>;
}

interface Member {
  /** What it said of itself when it joined. */
  readonly metadata: Buffer;
}

/** What the group of a Connect cluster speaks with Kafka. */
const PROTOCOL = 'connect';
/** The version of what a member says of itself, and the length of its URL. */
const HEADER_BYTES = 4;

/**
 * Counts the workers of the Connect cluster that runs the connector. Connect's own API knows of one worker, the one that answers; Kafka
 * knows all, because they are a group. Which group that is its members say: one of them runs the connector.
 */
export class ConnectWorkers {
  private group: string | undefined;

  constructor(
    private readonly kafka: Groups,
    private readonly connector: Pick<Connector, 'status'>,
  ) {}

  /**
   * Undefined where it cannot be seen: the group may not be described, Kafka does not say, or Connect does not answer before its group
   * was found. Nothing is thrown for that, because other figures are read beside this one.
   */
  async count(): Promise<number | undefined> {
    try {
      const known = this.group === undefined ? undefined : (await this.kafka.members(this.group)).length;
      if (known !== undefined && known > 0) return known;
      // A group that nobody is in may have been left for one of another name.
      return (await this.find()) ?? known;
    } catch (error) {
      if (error instanceof Unavailable) return undefined;
      throw error;
    }
  }

  private async find(): Promise<number | undefined> {
    const workers = await this.workers();
    if (workers.length === 0) return undefined;
    for (const group of await this.kafka.groups(PROTOCOL)) {
      const members = await this.kafka.members(group);
      if (!members.some((member) => workers.includes(placeOf(member)))) continue;
      this.group = group;
      return members.length;
    }
    return undefined;
  }

  /** host:port of those that run the connector and its tasks. */
  private async workers(): Promise<readonly string[]> {
    try {
      const status = await this.connector.status();
      return status === null ? [] : [status.worker, ...status.tasks.map(({ worker }) => worker)];
    } catch (error) {
      if (error instanceof Unavailable) return [];
      throw error;
    }
  }
}

/** host:port under which the others of its cluster find a member; empty where it says none. */
function placeOf({ metadata }: Member): string {
  if (metadata.length < HEADER_BYTES) return '';
  const url = metadata.toString('utf8', HEADER_BYTES, HEADER_BYTES + metadata.readInt16BE(2));
  return URL.canParse(url) ? new URL(url).host : '';
}
