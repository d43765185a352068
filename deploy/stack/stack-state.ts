import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { reasonOf, UserError } from '../../topology/core/errors';

/** Of the Kafka of every stack that was started before each had its own. */
const SHARED_CLUSTER_ID = 'ZG93bnNwb3V0LXN0YWNrLQ';

const stateSchema = z.object({
  mode: z.enum(['native', 'compose']),
  /** Three MySQL servers, three brokers and two Connect workers. */
  ha: z.boolean().default(false),
  /** Of Docker Compose; none of a native stack, and of one that was started before each had its own. */
  project: z.string().optional(),
  /** Of its Kafka, drawn once: it outlives Kafka's data, because a database knows by it which Kafka it belongs to. */
  clusterId: z.string().default(SHARED_CLUSTER_ID),
  /** Ports by purpose, or by the variable of docker-compose.yml, chosen once so that they stay the same. */
  ports: z.record(z.string(), z.int()),
  /** What was started and not stopped. `program` is a digest of the command line and configuration. */
  processes: z.record(z.string(), z.object({ pid: z.int(), started: z.string(), program: z.string() })),
  passwords: z.object({
    admin: z.string(),
    application: z.string(),
    worker: z.string(),
    cdc: z.string(),
    /** Of the MySQL servers among each other. */
    replication: z.string().default(password),
  }),
});
export type StackState = z.infer<typeof stateSchema>;

/** What is remembered of a local stack, in `stack.json`: it holds passwords, so only its owner may read it. */
export class StackStateFile {
  private readonly path: string;

  constructor(folder: string) {
    this.path = join(folder, 'stack.json');
  }

  /** @throws UserError when the file is damaged */
  read(): StackState | null {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch {
      return null;
    }
    try {
      return stateSchema.parse(JSON.parse(text));
    } catch (error) {
      throw new UserError(
        `${this.path} is damaged (${reasonOf(error)}). End the stack's processes by hand, remove ${dirname(this.path)} and run \`downspout up\`.`,
      );
    }
  }

  write(state: StackState): void {
    writePrivate(this.path, `${JSON.stringify(state, null, 2)}\n`);
  }
}

/** @param admin the administrator's password when it was given, else one is made */
export function newState(mode: StackState['mode'], admin?: string): StackState {
  return {
    mode,
    ha: false,
    clusterId: newClusterId(),
    ports: {},
    processes: {},
    passwords: {
      admin: admin ?? password(),
      application: password(),
      worker: password(),
      cdc: password(),
      replication: password(),
    },
  };
}

/** An id for a Kafka, as Kafka writes them. The highest bit is not set, so that no command takes it for an option. */
export function newClusterId(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8(bytes.readUInt8() & 0x7f);
  return bytes.toString('base64url');
}

function password(): string {
  return randomBytes(18).toString('base64url');
}

/** Writes a file that only its owner may read, whole or not at all. */
export function writePrivate(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  // What a process of the same id has left keeps its mode when it is written.
  rmSync(temporary, { force: true });
  writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' });
  renameSync(temporary, path);
}
