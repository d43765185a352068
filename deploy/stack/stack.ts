/** What happens to a part, for progress. */
export interface PartEvent {
  readonly part: string;
  readonly stage: 'fetching' | 'starting' | 'ready' | 'kept' | 'failed' | 'skipped' | 'stopping' | 'stopped';
  readonly text: string;
}
export type Report = (event: PartEvent) => void;

/** A local stack, however it runs. */
export interface Stack {
  /** `native` or `Docker`, for people. */
  readonly kind: string;
  /**
   * Starts what does not run and waits until all of it answers.
   * @returns the settings to connect with, which are in `env.json` too
   * @throws UserError when a part that is needed does not start
   */
  up(report: Report): Promise<Record<string, string>>;
  /** Stops every part. @param wipe removes the data as well */
  down(wipe: boolean, report: Report): Promise<void>;
}

export interface StackOptions {
  /** The stack's folder, `.downspout`. */
  readonly folder: string;
  /** Variables of docker-compose.yml and XDG_CACHE_HOME. */
  readonly variables: Readonly<Record<string, string>>;
  readonly composeFile?: string;
  /** Three MySQL servers behind HAProxy, three brokers and two Connect workers, from now on: a stack that has them keeps them. */
  readonly ha?: boolean;
}
