import type { Clock } from '../../../topology/core/clock';
import { UserError } from '../../../topology/core/errors';
import { FINGERPRINT, SERVICE_PREFIX } from './render';

/** A container that runs. */
export interface Container {
  readonly id: string;
  readonly service: string;
  /** Null when its workers read topology.yaml. */
  readonly release: number | null;
  /** Which worker it is; null when an earlier version made it, or going back did with settings that nobody knows to be right. */
  readonly fingerprint: string | null;
}

/** The services of Docker Compose. What a container has held media in goes with it. Each call throws UserError with what `docker` says. */
export interface Services {
  /** What an image is now, because a name may stand for another one later; null when it cannot be had. */
  imageId(image: string): Promise<string | null>;
  running(service: string): Promise<readonly Container[]>;
  /**
   * Containers of workers that belong to none of these services, also those that have exited, and those that were made of the same
   * workers.yml in another project.
   */
  others(services: readonly string[]): Promise<readonly Pick<Container, 'id' | 'service'>[]>;
  /** Makes as many containers as are missing, and ends none. */
  scaled(service: string, count: number): Promise<void>;
  /** Returns when all of these are healthy: `docker compose up --wait` would ask that of all containers of their service. */
  ready(ids: readonly string[]): Promise<void>;
  /** Those of these that are not healthy now. */
  unready(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Restarts those of a service at once, also where they were made of the same workers.yml in another project, and returns when all are
   * ready.
   * @returns how many there were
   */
  restart(service: string): Promise<number>;
  /** Ends a container in good order. */
  stop(id: string): Promise<void>;
  /** Ends one that is not ready. */
  remove(id: string): Promise<void>;
  /** Compose would start a container of an earlier release again in place of making a new one. */
  removeStopped(service: string): Promise<void>;
  end(services: readonly string[]): Promise<void>;
}

/** Until a new worker is ready. */
const READY_LIMIT_MS = 120_000;
const LOOK_EVERY_MS = 500;
/** Docker warns on the same line-wise output. */
const CONTAINER = /^[0-9a-f]{12,64}$/;
const COMMAND = /^([0-9a-f]{12,64}) (.*)$/;
const FORMAT = '{{.Id}} {{json .Config.Cmd}} {{json .Config.Labels}}';
const HEALTH = '{{.Id}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}';
const HOPELESS = / (exited|dead|\S+ unhealthy)\b/;
const LABEL = new RegExp(`"${FINGERPRINT}":"([0-9a-f]+)"`);
const SERVICE = /"com\.docker\.compose\.service":"([^"]+)"/;
/** Of which files Compose has made a container. */
const MADE = '{{.ID}} {{.Label "com.docker.compose.service"}} {{.Label "com.docker.compose.project.config_files"}}';
const MADE_LINE = /^([0-9a-f]{12,64}) (\S+) (.+)$/;
const IMAGE = /sha256:[0-9a-f]{64}/;

export interface ServicesOptions {
  /** The options that name the compose files and the project. */
  readonly files: readonly string[];
  /** The whole path of workers.yml. */
  readonly workersFile: string;
  /** Runs it with these arguments and returns what it prints. */
  readonly docker: (args: readonly string[]) => Promise<string>;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

export function servicesOf({ files, workersFile, docker, clock, signal }: ServicesOptions): Services {
  const compose = (...args: readonly string[]) => docker(['compose', ...files, ...args]);
  const found = async (...args: readonly string[]): Promise<readonly Container[]> => {
    const ids = (await compose(...args)).split('\n').map((id) => id.trim());
    const containers = ids.filter((id) => CONTAINER.test(id));
    if (containers.length === 0) return [];
    const commands = (await docker(['inspect', '--format', FORMAT, ...containers])).split('\n');
    const known = new Map(
      commands.map((line) => {
        const [, id = '', text = ''] = COMMAND.exec(line.trim()) ?? [];
        return [id, text] as const;
      }),
    );
    return containers.map((id) => {
      const text = known.get(id) ?? '';
      const release = Number(/--release=(\d+)/.exec(text)?.[1] ?? Number.NaN) || null;
      return { id, service: SERVICE.exec(text)?.[1] ?? '', release, fingerprint: LABEL.exec(text)?.[1] ?? null };
    });
  };
  /** What Docker says of those that are not healthy, a line each. */
  const unhealthy = async (ids: readonly string[]): Promise<readonly string[]> => {
    if (ids.length === 0) return [];
    const said = (await docker(['inspect', '--format', HEALTH, ...ids])).split('\n');
    return said.map((line) => line.trim()).filter((line) => COMMAND.test(line) && !line.endsWith(' running healthy'));
  };
  /** Those that were made of the same workers.yml, in whichever project. Nothing more is asked of these, because those of strangers come and go. */
  const madeOfThis = async (...which: readonly string[]): Promise<Pick<Container, 'id' | 'service'>[]> => {
    const lines = (await docker(['ps', ...which, '--no-trunc', '--format', MADE])).split('\n');
    return lines.flatMap((line) => {
      const [, id = '', service = '', madeOf = ''] = MADE_LINE.exec(line.trim()) ?? [];
      return madeOf.split(',').includes(workersFile) ? [{ id, service }] : [];
    });
  };
  const services: Services = {
    running: async (service) => (await found('ps', '--quiet', service)).map((one) => ({ ...one, service })),
    others: async (these) => {
      const own = await found('ps', '--all', '--quiet');
      const known = new Set(own.map(({ id }) => id));
      const elsewhere = (await madeOfThis('--all')).filter(({ id }) => !known.has(id));
      return [...own.filter(({ service }) => !these.includes(service)), ...elsewhere].filter(({ service }) =>
        service.startsWith(SERVICE_PREFIX),
      );
    },
    imageId: async (image) => {
      const inspect = () => attempt(docker(['image', 'inspect', '--format', '{{.Id}}', image]));
      let said = await inspect();
      if (said === null) {
        await attempt(docker(['pull', image]));
        said = await inspect();
      }
      return IMAGE.exec(said ?? '')?.[0] ?? null;
    },
    scaled: async (service, count) => {
      await compose('up', '--detach', '--no-deps', '--no-recreate', '--scale', `${service}=${count}`, service);
    },
    ready: async (ids) => {
      const untilMs = clock.monotonic() + READY_LIMIT_MS;
      for (;;) {
        const waiting = await unhealthy(ids);
        if (waiting.length === 0) return;
        const hopeless = waiting.find((line) => HOPELESS.test(line));
        if (hopeless !== undefined) throw new UserError(`container ${hopeless}`);
        if (clock.monotonic() >= untilMs)
          throw new UserError(`after ${READY_LIMIT_MS / 1_000} s: container ${waiting[0]}`);
        await clock.sleep(LOOK_EVERY_MS, signal);
      }
    },
    unready: async (ids) => new Set((await unhealthy(ids)).flatMap((line) => COMMAND.exec(line)?.[1] ?? [])),
    restart: async (service) => {
      const elsewhere = (await madeOfThis()).filter((one) => one.service === service);
      const ids = [...new Set([...(await services.running(service)), ...elsewhere].map(({ id }) => id))];
      if (ids.length === 0) return 0;
      await docker(['restart', ...ids]);
      await services.ready(ids);
      return ids.length;
    },
    stop: async (id) => {
      await docker(['stop', id]);
      await docker(['rm', '--volumes', id]);
    },
    remove: async (id) => {
      await docker(['rm', '--volumes', '--force', id]);
    },
    removeStopped: async (service) => {
      await compose('rm', '--volumes', '--force', service);
    },
    end: async (these) => {
      await compose('rm', '--stop', '--volumes', '--force', ...these);
    },
  };
  return services;
}

/** What it prints, or null when it fails. */
async function attempt(work: Promise<string>): Promise<string | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
