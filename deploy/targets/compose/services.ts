/** A container that runs. */
interface Container {
  readonly id: string;
  /** Null when its workers read topology.yaml. */
  readonly release: number | null;
}

/** The services of Docker Compose. Each call throws UserError with what `docker` says. */
export interface Services {
  running(service: string): Promise<readonly Container[]>;
  /** Makes as many containers as are missing, ends none, and returns when all of them are healthy. */
  scaled(service: string, count: number): Promise<void>;
  restart(service: string, count: number): Promise<void>;
  /** Ends a container in good order. */
  stop(id: string): Promise<void>;
  /** Ends one that is not ready. */
  remove(id: string): Promise<void>;
  /** Compose would start a container of an earlier release again in place of making a new one. */
  removeStopped(service: string): Promise<void>;
  end(services: readonly string[]): Promise<void>;
}

/** Until a new worker is ready. */
const READY_LIMIT_SECONDS = 120;
/** Docker warns on the same line-wise output. */
const CONTAINER = /^[0-9a-f]{12,64}$/;
const COMMAND = /^([0-9a-f]{12,64}) (.*)$/;
const FORMAT = '{{.Id}} {{json .Config.Cmd}}';

/** @param files the options that name the compose files @param docker runs it with these arguments and returns what it prints */
export function servicesOf(files: readonly string[], docker: (args: readonly string[]) => Promise<string>): Services {
  const compose = (...args: readonly string[]) => docker(['compose', ...files, ...args]);
  const services: Services = {
    running: async (service) => {
      const ids = (await compose('ps', '--quiet', service)).split('\n').map((id) => id.trim());
      const containers = ids.filter((id) => CONTAINER.test(id));
      if (containers.length === 0) return [];
      const commands = (await docker(['inspect', '--format', FORMAT, ...containers])).split('\n');
      const releases = new Map(
        commands.map((line) => {
          const [, id = '', command = ''] = COMMAND.exec(line.trim()) ?? [];
          return [id, /--release=(\d+)/.exec(command)?.[1]] as const;
        }),
      );
      return containers.map((id) => ({ id, release: Number(releases.get(id) ?? Number.NaN) || null }));
    },
    scaled: async (service, count) => {
      const ready = ['--wait', '--wait-timeout', String(READY_LIMIT_SECONDS), '--scale', `${service}=${count}`];
      await compose('up', '--detach', '--no-deps', '--no-recreate', ...ready, service);
    },
    restart: async (service, count) => {
      await compose('restart', service);
      await services.scaled(service, count);
    },
    stop: async (id) => {
      await docker(['stop', id]);
      await docker(['rm', id]);
    },
    remove: async (id) => {
      await docker(['rm', '--force', id]);
    },
    removeStopped: async (service) => {
      await compose('rm', '--force', service);
    },
    end: async (these) => {
      await compose('rm', '--stop', '--force', ...these);
    },
  };
  return services;
}
