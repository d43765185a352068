import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { reasonOf, UserError } from '../../topology/core/errors';

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const fileSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      profiles: z.array(z.string()).default([]),
      command: z.array(z.string()).default([]),
      environment: z.record(z.string(), scalar).default({}),
      ports: z.array(z.string()).default([]),
    }),
  ),
});

/** What the variables of docker-compose.yml are with `--ha`; their defaults are for one server, one broker, one worker. */
export const HA_VARIABLES: Readonly<Record<string, string>> = {
  MYSQL_BUFFER_POOL: '128M',
  KAFKA_VOTERS: '1@kafka:9093,2@kafka-b:9093,3@kafka-c:9093',
  KAFKA_BOOTSTRAP: 'kafka:9094,kafka-b:9094,kafka-c:9094',
  KAFKA_REPLICATION: '3',
  KAFKA_MIN_INSYNC: '2',
  KAFKA_VOLUME: 'kafka-ha',
};

/** What the native stack takes from a service of docker-compose.yml. */
export interface ComposeService {
  readonly name: string;
  /** The image's tag: the version of the part. */
  readonly version: string;
  /** Profiles that the service needs; empty when it runs by default. */
  readonly profiles: readonly string[];
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly PublishedPort[];
}

/** A port of the host, and the name of the variable that moves it. */
export interface PublishedPort {
  readonly number: number;
  readonly variable: string | null;
}

/** docker-compose.yml as the native stack reads it, so that the two cannot drift apart. */
export class ComposeFile {
  private constructor(
    private readonly path: string,
    private readonly services: ReadonlyMap<string, ComposeService>,
  ) {}

  /**
   * @param variables values for `${NAME:-default}` and `${NAME:?message}`
   * @throws UserError naming the file and the field
   */
  static read(path: string, variables: Readonly<Record<string, string>>): ComposeFile {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      throw new UserError(`${path}: ${reasonOf(error)}`);
    }
    return ComposeFile.parse(text, path, variables);
  }

  static parse(text: string, path: string, variables: Readonly<Record<string, string>>): ComposeFile {
    let value: unknown;
    try {
      value = parse(text, { merge: true });
    } catch (error) {
      throw new UserError(`${path}: ${reasonOf(error)}`);
    }
    const result = fileSchema.safeParse(value);
    if (!result.success) {
      const issue = result.error.issues[0];
      throw new UserError(`${path}: ${issue?.path.join('.')}: ${issue?.message}`);
    }
    const fill = (raw: string) => substitute(raw, variables);
    const services = Object.entries(result.data.services).map(([name, service]): [string, ComposeService] => [
      name,
      {
        name,
        version: fill(service.image).replace(/^.*:/, ''),
        profiles: service.profiles,
        command: service.command.map(fill),
        environment: Object.fromEntries(Object.entries(service.environment).map(([key, raw]) => [key, fill(raw)])),
        ports: service.ports.map((port) => publishedPort(port, fill, path)),
      },
    ]);
    return new ComposeFile(path, new Map(services));
  }

  /** @throws UserError when the file has no such service */
  service(name: string): ComposeService {
    const service = this.services.get(name);
    if (service === undefined) throw new UserError(`${this.path}: services.${name} is missing`);
    return service;
  }

  names(): string[] {
    return [...this.services.keys()];
  }
}

/**
 * Compose's `${NAME}`, `${NAME:-default}` and `${NAME:?message}`; `$$` is a dollar sign. What Compose refuses to be without is empty
 * here: this machine runs the parts with values of its own there.
 */
function substitute(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$\$|\$\{([A-Z_]+)(?::-([^}]*)|:\?[^}]*)?\}/g,
    (whole, name: string | undefined, fallback = '') =>
      name === undefined ? whole.slice(1) : variables[name] || fallback,
  );
}

function publishedPort(raw: string, fill: (raw: string) => string, path: string): PublishedPort {
  const variable = /\$\{([A-Z_]+)/.exec(raw)?.[1] ?? null;
  const number = Number(fill(raw).split(':').at(-2));
  if (!Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new UserError(`${variable ?? path}: expected a port from 1 to 65535, got ${JSON.stringify(fill(raw))}`);
  }
  return { number, variable };
}
